#include "tests/support/process_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "shared/unique_fd.h"

namespace pipekit::test {

// Not a stream: libstdc++ throws if read() returns ESRCH.
std::string read_process_file(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> part{};
  for (ssize_t size = 0; fd.get() >= 0 && (size = ::read(fd.get(), part.data(), part.size())) != 0;) {
    if (size < 0) return "";
    text.append(part.data(), static_cast<size_t>(size));
  }
  return text;
}

}  // namespace pipekit::test
