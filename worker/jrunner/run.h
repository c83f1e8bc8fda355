// The program, less main: arguments to exit code. Everything thrown ends here, on stderr.
#pragma once

#include <string>
#include <vector>

namespace pipekit::jrunner {

int run(const std::vector<std::string>& args);

}  // namespace pipekit::jrunner
