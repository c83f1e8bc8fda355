// argv -> a verb and its arguments. The only includer of CLI11. Global flags come before or after the verb; after --
// there are only arguments. A flag that takes one value is given once. Whatever is wrong is kUsage and names the
// nearest verb or flag.
#pragma once

#include <string>
#include <vector>

#include "ctl/verb.h"

namespace pipekit::ctl {

struct Invocation {
  const Verb* verb = nullptr;  // nullptr: `text` is the answer (help, version)
  std::string text;
  Arguments global;
  Arguments arguments;
};

// -o, --broker and so on.
const std::vector<Flag>& global_flags();

// `verbs` outlives the answer. `args` is without the program's name.
Result<Invocation> parse_command_line(const std::vector<Verb>& verbs, const std::vector<std::string>& args);

}  // namespace pipekit::ctl
