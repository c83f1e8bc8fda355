// What the broker measures of itself: the last durations of a kind, as percentiles. One thread.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "shared/protocol.h"

namespace pipekit {

class Durations {
 public:
  void add(std::chrono::nanoseconds duration);
  [[nodiscard]] Json json_us() const;  // {count, p50, p99, max} in microseconds, of the last kKept

 private:
  static constexpr size_t kKept = 2048;
  std::array<int64_t, kKept> kept_{};
  int64_t count_ = 0;
};

}  // namespace pipekit
