// Writes to stdout; a signal ends the wait for a slow reader. One thread. Throws Interrupted with SIGPIPE if stdout was
// closed, and Failure for any other error.
#pragma once

#include <string_view>

#include "worker/jrunner/cancellation.h"

namespace pipekit::jrunner {

class StandardOutput {
 public:
  explicit StandardOutput(Cancellation& cancellation) : cancellation_(cancellation) {}
  void write(std::string_view text);

 private:
  void wait_for_room() const;

  Cancellation& cancellation_;
};

}  // namespace pipekit::jrunner
