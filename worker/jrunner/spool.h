// Stores bytes that are written once and then read once, from the beginning. Beyond a bound they are kept in a
// temporary file without a name, so that no file remains however the process ends. One thread. Throws Failure if the
// temporary directory ($TMPDIR, else /tmp) cannot hold the file.
#pragma once

#include <string>
#include <string_view>

#include "shared/unique_fd.h"

namespace pipekit::jrunner {

class Spool {
 public:
  void append(std::string_view bytes);
  void clear();
  // Begins reading: bytes are read in the order in which they were appended.
  void rewind();
  // The next bytes, at most `most`; empty at the end. Valid until the next call.
  std::string_view read(size_t most);
  // Reads exactly `size` bytes; false at the end.
  bool read_exactly(char* to, size_t size);

 private:
  static constexpr size_t kMemoryBytes = size_t{1024} * 1024;

  void flush();

  std::string memory_{};  // not yet written to the file; while reading, bytes read ahead
  size_t at_ = 0;
  UniqueFd file_{};
};

}  // namespace pipekit::jrunner
