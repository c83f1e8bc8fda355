#include "bench/job_board.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <stdexcept>

namespace pipekit::bench {

JobBoard::JobBoard(size_t modules) : jobs_(modules), freed_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  for (size_t i = 0; i < modules; ++i) free_.push_back(i);
}

std::optional<size_t> JobBoard::take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return std::nullopt;
  const auto number = free_.front();
  free_.pop_front();
  jobs_[number] = {Clock::now(), {}, {}, true};
  return number;
}

void JobBoard::clear_freed() const {
  uint64_t count = 0;
  static_cast<void>(!::read(freed_.get(), &count, sizeof count));
}

void JobBoard::started(size_t number) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  jobs_.at(number).started = now;
}

void JobBoard::done(size_t number) {
  const auto now = Clock::now();
  const std::lock_guard lock(mutex_);
  auto& job = jobs_.at(number);
  if (!job.live) throw std::runtime_error(fmt::format("job {} was done twice", number));
  job.live = false;
  job.done = now;
  free_.push_back(number);
  ++done_;
  changed_.notify_all();
  const uint64_t one = 1;
  static_cast<void>(!::write(freed_.get(), &one, sizeof one));
}

void JobBoard::wait_done(int64_t total) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, std::chrono::minutes{2}, [&] { return done_ >= total; })) return;
  throw std::runtime_error(fmt::format("{} jobs of {} were never done", total - done_, total));
}

JobBoard::Times JobBoard::times(size_t number) {
  const std::lock_guard lock(mutex_);
  return jobs_.at(number);
}

int64_t JobBoard::done_count() {
  const std::lock_guard lock(mutex_);
  return done_;
}

}  // namespace pipekit::bench
