// How much of the read thread one question may take: a query that would take all of it for minutes ends with an error
// that says so. Counted in processor time of the thread, so that a busy host makes no difference. The default never
// ends. Also ends work whose client is gone.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>

namespace pipekit {

class OverBudget : public std::runtime_error {
 public:
  OverBudget() : std::runtime_error("the question takes more time than the broker spends on one") {}
};

class TimeBudget {
 public:
  TimeBudget() = default;
  // Starts now, on this thread. `abandoned`: another thread sets it to `job` when nobody waits for its answer any more.
  explicit TimeBudget(std::chrono::nanoseconds most, const std::atomic<int64_t>* abandoned = nullptr, int64_t job = 0);

  [[nodiscard]] bool spent() const;
  // Throws OverBudget.
  void check() const {
    if (spent()) throw OverBudget();
  }

 private:
  std::chrono::nanoseconds until_ = std::chrono::nanoseconds::max();
  const std::atomic<int64_t>* abandoned_ = nullptr;
  int64_t job_ = 0;
};

}  // namespace pipekit
