#include "broker/metrics.h"

#include <algorithm>
#include <vector>

namespace pipekit {

void Durations::add(std::chrono::nanoseconds duration) {
  kept_[static_cast<size_t>(count_++) % kKept] = duration.count();
}

Json Durations::json_us() const {
  const auto size = std::min<size_t>(static_cast<size_t>(count_), kKept);
  std::vector<int64_t> sorted(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(size));
  std::ranges::sort(sorted);
  const auto at = [&](size_t percent) { return size == 0 ? 0 : sorted[(size - 1) * percent / 100] / 1000; };
  return {{"count", count_}, {"p50", at(50)}, {"p99", at(99)}, {"max", at(100)}};
}

}  // namespace pipekit
