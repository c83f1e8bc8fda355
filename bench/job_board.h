// Which jobs are in progress, and when each was submitted, started and finished. A job is a run of a module that is
// named after its number; a module has at most one live run, so the number identifies the job. Shared by the threads of
// the submitter and the workers.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "shared/unique_fd.h"

namespace pipekit::bench {

class JobBoard {
 public:
  using Clock = std::chrono::steady_clock;
  struct Times {
    Clock::time_point submitted{};
    Clock::time_point started{};
    Clock::time_point done{};
    bool live = false;
  };

  explicit JobBoard(size_t modules);

  static std::string module_name(size_t number) { return "m" + std::to_string(number); }
  static size_t number_of(const std::string& module) { return std::stoul(module.substr(1)); }

  // A module without a live run, now marked as submitted; nullopt if none is free.
  std::optional<size_t> take();
  // Readable when a module has become free; clear() before looking.
  [[nodiscard]] int freed_fd() const { return freed_.get(); }
  void clear_freed() const;

  void started(size_t number);
  // Throws if it is already finished.
  void done(size_t number);
  // Blocks until `total` jobs have finished since the board was created; throws after two minutes.
  void wait_done(int64_t total);
  [[nodiscard]] Times times(size_t number);
  [[nodiscard]] int64_t done_count();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Times> jobs_;
  std::deque<size_t> free_;
  int64_t done_ = 0;
  UniqueFd freed_;
};

}  // namespace pipekit::bench
