// The verbs about keys, and those about definitions beyond add, update and remove of the four kinds.
#pragma once

#include <vector>

#include "ctl/verb.h"

namespace pipekit::ctl {

std::vector<Verb> connection_test_verb();
std::vector<Verb> module_verbs();  // enable, disable, preview
std::vector<Verb> part_verbs();    // watermark, hook
std::vector<Verb> member_verbs();  // group add-member, remove-member
std::vector<Verb> schedule_verbs();
std::vector<Verb> key_verbs();  // keys, audit

}  // namespace pipekit::ctl
