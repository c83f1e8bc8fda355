// What --help prints. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ctl/verb.h"

namespace pipekit::ctl {

std::string program_help(const std::vector<Verb>& verbs);
// "module": its verbs.
std::string group_help(const std::vector<Verb>& verbs, std::string_view group);
std::string verb_help(const Verb& verb);

}  // namespace pipekit::ctl
