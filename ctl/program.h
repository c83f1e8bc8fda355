// pipekit-ctl from argv to exit code: parse, configure, run the verb, report errors.
#pragma once

#include <string>
#include <vector>

namespace pipekit::ctl {

int run_program(const std::vector<std::string>& args);

}  // namespace pipekit::ctl
