// What the completion scripts call (completion.h): `pipekit-ctl complete -- WORDS...`, which is not meant for people.
#pragma once

#include <string>
#include <vector>

#include "ctl/output.h"
#include "ctl/verb.h"

namespace pipekit::ctl {

// One line per candidate, with a tab and a description; ":files" where a file is expected. A broker that does not
// answer within a second has no names. Always 0: a shell shows no errors here.
int print_completions(const std::vector<Verb>& verbs, std::vector<std::string> words, Output& out);

}  // namespace pipekit::ctl
