// Readable when somebody has set the wall clock, so that what waits for a wall time can be computed anew. Nothing else
// wakes it.
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
