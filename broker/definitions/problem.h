// What is wrong in a definition, by the path to it; a request is refused with all of them at once.
#pragma once

#include <string>
#include <vector>

#include "shared/error.h"
#include "shared/protocol.h"

namespace pipekit::definitions {

struct Problem {
  std::string path;  // "modules[3].merge_strategy"; for a single definition "merge_strategy"
  std::string message;
  std::string hint;
};

using Problems = std::vector<Problem>;

// body.problems of the reply.
Json to_json(const Problems& problems);
// kInvalid; the message has every problem, one a line, the hint is that of the first that has one.
Error to_error(const Problems& problems);

}  // namespace pipekit::definitions
