// stdout. Knows whether it is a terminal, how wide, and whether to colour (a terminal, NO_COLOR unset). A pipe is read
// by people where COLUMNS and LINES are exported, as watch(1) does. Unbuffered: a text is on its way when write()
// returns. A reader that is gone (`| head`) ends the program quietly: ClosedOutput.
#pragma once

#include <string_view>

#include "ctl/render.h"

namespace pipekit::ctl {

// Thrown by Output::write; caught in the program's entry, which exits 0.
struct ClosedOutput {};

class Output {
 public:
  explicit Output(int fd = 1);
  void write(std::string_view text);
  [[nodiscard]] Style style(WallTime now) const;
  [[nodiscard]] bool is_terminal() const { return terminal_; }
  // Becomes ready with an error when the reader is gone; -1 where that cannot happen.
  [[nodiscard]] int watched_fd() const { return pipe_ ? fd_ : -1; }

 private:
  int fd_;
  bool terminal_;
  bool pipe_;
};

}  // namespace pipekit::ctl
