#include "tests/support/temp_dir.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

namespace pipekit::test {

TempDir::TempDir(const std::filesystem::path& parent) {
  auto pattern = (parent / "pipekit-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), "mkdtemp " + pattern);
  }
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::write(std::string_view name, std::string_view content) const {
  const auto target = file(name);
  std::ofstream out(target, std::ios::binary | std::ios::trunc);
  out << content;
  if (!out.flush()) throw std::runtime_error("cannot write " + target);
  return target;
}

std::filesystem::path memory_directory() {
  std::error_code error;
  const auto space = std::filesystem::space("/dev/shm", error);
  const bool room = !error && space.available >= 16U << 20U && ::access("/dev/shm", W_OK) == 0;
  return room ? "/dev/shm" : std::filesystem::temp_directory_path();
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace pipekit::test
