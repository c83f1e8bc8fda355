// What /proc says of a process that may end at any moment, also in the middle of being read.
#pragma once

#include <filesystem>
#include <string>

namespace pipekit::test {

// `file`: of /proc/PID. "" when the process has ended.
std::string read_process_file(const std::filesystem::path& file);

}  // namespace pipekit::test
