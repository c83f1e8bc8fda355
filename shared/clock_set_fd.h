// Readable when the wall clock was set, so that waits for a wall time can be computed again. Nothing else wakes it.
#pragma once

#include "shared/unique_fd.h"

namespace pipekit {

class ClockSetFd {
 public:
  ClockSetFd();
  [[nodiscard]] int fd() const { return fd_.get(); }
  void rearm();

 private:
  UniqueFd fd_;
};

}  // namespace pipekit
