// Nothing is measured while the machine works for others: an fsync beside a compiler takes many times as long. The gate
// waits before a round, and tells after it whether others had begun meanwhile.
#pragma once

#include <chrono>
#include <string>

namespace pipekit::bench {

class IdleGate {
 public:
  // `patience`: how long it waits in all before it gives up; zero: it does not wait.
  explicit IdleGate(std::chrono::seconds patience) : left_(patience), waits_(patience.count() > 0) {}

  // Returns when the machine is idle. Throws std::runtime_error when its patience is over.
  void wait();
  // Of the processors' time since wait() returned, what processes took that are none of ours; 0 to 1.
  [[nodiscard]] double taken_by_others() const;
  [[nodiscard]] bool disturbed() const { return taken_by_others() > kMostOfOthers; }
  [[nodiscard]] bool waits() const { return waits_; }

 private:
  static constexpr double kMostOfOthers = 0.1;

  std::chrono::duration<double> left_;
  bool waits_;
  bool told_ = false;
  std::chrono::steady_clock::time_point began_{};
  double machine_before_ = 0;
  double ours_before_ = 0;
};

}  // namespace pipekit::bench
