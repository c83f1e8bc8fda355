// One request to stop, seen by every wait of both threads: its descriptor becomes readable and stays so. The reason is
// a signal's number, or kOtherSideFailed when one side of a transfer ends because the other did. Any thread, and a
// signal handler, may request; the first reason stays.
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

  // From here SIGTERM, SIGINT and SIGHUP request; a second one ends the process at once. SIGPIPE is ignored: a closed
  // stdout is an error of the write. At most one object of a process.
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
