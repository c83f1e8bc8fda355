// SIGINT, SIGTERM and SIGHUP as something to wait for, while an Interrupt lives (one at a time). A second signal ends
// the process at once. Without one they end the process as usual, which is right for a plain request.
#pragma once

#include <signal.h>

#include <array>
#include <optional>

#include "shared/unique_fd.h"

namespace pipekit::ctl {

class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] int fd() const { return event_.get(); }  // readable from the first signal on
  [[nodiscard]] std::optional<int> signal() const;       // nullopt before one came
  // 128 + the signal, as a shell has it.
  [[nodiscard]] std::optional<int> exit_code() const;

 private:
  UniqueFd event_;
  std::array<struct sigaction, 3> previous_{};
};

}  // namespace pipekit::ctl
