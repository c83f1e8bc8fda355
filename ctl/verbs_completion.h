// What the completion scripts call (completion.h): `pipekit-ctl complete -- WORDS...`, which is no verb for people.
#pragma once

#include <string>
#include <vector>

#include "ctl/output.h"
#include "ctl/verb.h"

namespace pipekit::ctl {

// A line a candidate, with a tab and what it is; ":files" where a file is wanted. A broker that does not answer within
// a second has no names. Always 0: a shell shows no errors here.
int print_completions(const std::vector<Verb>& verbs, std::vector<std::string> words, Output& out);

}  // namespace pipekit::ctl
