// Nothing is measured while other processes keep the machine busy: while a compiler runs, an fsync takes many times as
// long. The gate waits before a round and reports after it whether other processes have started since.
#pragma once

#include <chrono>
#include <string>

namespace pipekit::bench {

class IdleGate {
 public:
  // `patience`: how long it waits in total before it gives up; zero: it does not wait.
  explicit IdleGate(std::chrono::seconds patience) : left_(patience), waits_(patience.count() > 0) {}

  // Returns when the machine is idle. Throws std::runtime_error when its patience is over.
  void wait();
  // The share of processor time since wait() returned that went to other processes; 0 to 1.
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
