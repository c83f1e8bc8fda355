// Files in /proc of a process that may end at any moment, even while they are read.
#pragma once

#include <filesystem>
#include <string>

namespace pipekit::test {

// `file`: a file in /proc/PID. "" if the process has ended.
std::string read_process_file(const std::filesystem::path& file);

}  // namespace pipekit::test
