// Bytes written once and then read once, from the beginning: in memory up to a bound, beyond it in a temporary file
// that has no name, so that nothing is left behind however the process ends. One thread. Throws Failure when the
// temporary directory ($TMPDIR, else /tmp) cannot take it.
#pragma once

#include <string>
#include <string_view>

#include "shared/unique_fd.h"

namespace pipekit::jrunner {

class Spool {
 public:
  void append(std::string_view bytes);
  void clear();
  // Begins reading; what was appended is read in order.
  void rewind();
  // The next bytes, at most `most`; empty at the end. Valid until the next call.
  std::string_view read(size_t most);
  // Exactly `size` bytes, or none at the end.
  bool read_exactly(char* to, size_t size);

 private:
  static constexpr size_t kMemoryBytes = size_t{1024} * 1024;

  void flush();

  std::string memory_{};  // the tail not yet in the file; while reading, what was read ahead
  size_t at_ = 0;
  UniqueFd file_{};
};

}  // namespace pipekit::jrunner
