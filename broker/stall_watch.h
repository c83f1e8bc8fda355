// How long the process may have been paused: suspended, swapped out, waiting for the store's lock, or just slow. Pure;
// the loop tells when it rests and when it wakes.
#pragma once

#include <optional>

#include "shared/clock.h"

namespace pipekit {

class StallWatch {
 public:
  // Delays of less than half a heartbeat cost no worker its lease.
  explicit StallWatch(MonoTime::duration lease) : least_(lease / 12) {}

  // At the start, and when a pass is over. `wake`: when the next one is due; none: when something arrives.
  void rests(MonoTime now, std::optional<MonoTime> wake) {
    rested_ = now;
    wake_ = wake;
  }

  // A pass begins. Since the last one began, it may have been paused for as long as is returned; zero: too short to
  // matter. One that wakes too late may have been paused since it began to wait.
  MonoTime::duration wakes(MonoTime now) {
    const auto worked = woken_ ? rested_ - *woken_ : MonoTime::duration{};
    const auto overslept = wake_ && now > *wake_ ? now - *wake_ : MonoTime::duration{};
    woken_ = now;
    if (worked + overslept <= least_) return {};
    return worked + (overslept > least_ / 2 ? now - rested_ : overslept);
  }

 private:
  MonoTime::duration least_;
  std::optional<MonoTime> woken_;
  MonoTime rested_{};
  std::optional<MonoTime> wake_;
};

}  // namespace pipekit
