// What is wrong in a definition, with the path to it. A refusal lists all problems at once.
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

// Nobody corrects more at once, and the search for what was meant takes time: checks stop when this many were found.
inline constexpr size_t kMostProblems = 100;
inline bool enough(const Problems& problems) { return problems.size() >= kMostProblems; }

// Of `after`, those that `before` did not have: at the same field of the same kind, in the same words, wherever the
// part is in its list now.
Problems new_problems(const Problems& before, Problems after);

// body.problems of the reply.
Json to_json(const Problems& problems);
// kInvalid; the message has all problems, one per line; the hint is the first one's that has a hint.
Error to_error(const Problems& problems);

}  // namespace pipekit::definitions
