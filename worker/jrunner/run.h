// The program without main(): from arguments to exit code. All exceptions end here and are printed to stderr.
#pragma once

#include <string>
#include <vector>

namespace pipekit::jrunner {

int run(const std::vector<std::string>& args);

}  // namespace pipekit::jrunner
