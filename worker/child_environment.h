// The environment that a worker's children get: what a program needs to run, and what the worker's owner adds. The rest
// of the worker's environment may contain passwords, or redirect a database client (PGHOSTADDR). Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "shared/error.h"

namespace pipekit::worker {

using Variables = std::vector<std::pair<std::string, std::string>>;

// Of `own` those that every child gets, and those that `more` names: "NAME", or "PREFIX*" for all that begin with it.
// kUsage for any other text.
Result<Variables> child_environment(const std::vector<std::string>& more, const Variables& own);

// This process's environment.
Variables own_environment();

}  // namespace pipekit::worker
