// SIGINT and SIGTERM as something to poll. Make it before any thread is started, so that all of them inherit the mask.
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
