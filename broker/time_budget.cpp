#include "broker/time_budget.h"

#include <ctime>

namespace pipekit {
namespace {

std::chrono::nanoseconds thread_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec};
}

}  // namespace

TimeBudget::TimeBudget(std::chrono::nanoseconds most, const std::atomic<int64_t>* abandoned, int64_t job)
    : until_(thread_time() + most), abandoned_(abandoned), job_(job) {}

bool TimeBudget::spent() const {
  if (abandoned_ != nullptr && abandoned_->load(std::memory_order_relaxed) == job_) return true;
  return until_ != std::chrono::nanoseconds::max() && thread_time() > until_;
}

}  // namespace pipekit
