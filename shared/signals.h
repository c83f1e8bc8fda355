// SIGINT and SIGTERM as a descriptor to poll. Create it before any thread, so that all threads inherit the mask.
#pragma once

#include "shared/unique_fd.h"

namespace pipekit {

class SignalFd {
 public:
  SignalFd();  // also ignores SIGPIPE
  [[nodiscard]] int fd() const { return fd_.get(); }
  // The number of signals that have arrived since the last call.
  int take();

 private:
  UniqueFd fd_;
};

}  // namespace pipekit
