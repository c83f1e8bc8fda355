// Input: a configuration file, and the same bytes as a key file.
#include "shared/config.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/endpoint.h"
#include "shared/key_file.h"
#include "tests/fuzz/input.h"

namespace {

using namespace pipekit;
using fuzz::require;

// One file in memory, used for all inputs.
std::string file_of(std::string_view text) {
  static const int fd = ::memfd_create("input", MFD_CLOEXEC);
  const bool written = ::ftruncate(fd, 0) == 0 && ::fchmod(fd, 0600) == 0 &&
                       ::pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  require(written, "the input can be written");
  return "/proc/self/fd/" + std::to_string(fd);
}

void endpoint(const std::string& text) {
  if (!check_endpoint(text)) return;
  require(text.starts_with("ipc://") || text.starts_with("tcp://"), "an endpoint is a path or an address");
  require(text.find(';') == std::string::npos || text.starts_with("ipc://"), "an address is one address");
  require(!is_ipc(text) || socket_path(text).starts_with('/'), "a socket's path is written in full");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = file_of(fuzz::Input(data, size).rest());
  if (const auto values = read_config(file, {"endpoint", "name", "tags"})) {
    for (const auto& [key, texts] : *values) std::ranges::for_each(texts, endpoint);
  }
  if (const auto pair = read_key_file(file)) {
    require(is_key(pair->public_key) && is_key(pair->secret_key), "a key file holds keys");
  }
  return 0;
}
