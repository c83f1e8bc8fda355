// One request to stop, which every wait of both threads sees: its descriptor becomes readable and stays readable. The
// reason is a signal's number, or kOtherSideFailed when one side of a transfer ends because the other failed. Any
// thread and a signal handler may call request(); the first reason is kept.
#pragma once

#include <atomic>

#include "shared/unique_fd.h"

namespace pipekit::jrunner {

class Cancellation {
 public:
  static constexpr int kOtherSideFailed = -1;

  Cancellation();
  ~Cancellation();
  Cancellation(const Cancellation&) = delete;
  Cancellation& operator=(const Cancellation&) = delete;

  // From now on SIGTERM, SIGINT and SIGHUP call request(); a second signal ends the process at once. SIGPIPE is
  // ignored: a closed stdout is a write error. At most one object per process may do this.
  void take_signals();

  void request(int reason) noexcept;
  [[nodiscard]] int reason() const noexcept { return reason_.load(); }
  [[nodiscard]] bool requested() const noexcept { return reason() != 0; }
  void throw_if_requested() const;
  [[nodiscard]] int fd() const { return event_.get(); }

 private:
  UniqueFd event_;
  std::atomic<int> reason_{0};
};

}  // namespace pipekit::jrunner
