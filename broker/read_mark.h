// By which moment a lease may be judged: everything that had arrived by then has been read. Pure.
//
// A frame that has arrived is read first by ZeroMQ's own thread and then by the loop. When this process was suspended,
// both wake up together, and the loop can find the socket empty although a heartbeat waits in the kernel. So one empty
// socket proves nothing: it counts only when the process has been awake for `lag` since then. A stall in between starts
// that time again.
#pragma once

#include <algorithm>
#include <optional>

#include "shared/clock.h"

namespace pipekit {

class ReadMark {
 public:
  // lag 0: frames are read as soon as they arrive (tests without sockets).
  explicit ReadMark(MonoTime::duration lag) : lag_(lag) {}

  // The socket was read from `began` on, until nothing was left.
  void drained(MonoTime began) {
    if (!empty_at_) empty_at_ = began;
    if (began - *empty_at_ < lag_) return;
    read_until_ = *empty_at_;
    empty_at_ = began;
    if (lag_ == MonoTime::duration{}) read_until_ = began;
  }
  void stalled() { empty_at_.reset(); }

  [[nodiscard]] std::optional<MonoTime> read_until() const { return read_until_; }
  // When to look at the socket next, so that `deadline` can be judged.
  [[nodiscard]] MonoTime look_at(MonoTime deadline) const {
    return empty_at_ ? std::max(deadline, *empty_at_ + lag_) : deadline;
  }

 private:
  MonoTime::duration lag_;
  std::optional<MonoTime> empty_at_;    // since when the process is known to be awake
  std::optional<MonoTime> read_until_;  // never decreases
};

}  // namespace pipekit
