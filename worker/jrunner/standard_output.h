// Writes to stdout so that a signal ends the wait for a slow reader. One thread. A reader that has gone is Interrupted
// with SIGPIPE; any other error is a Failure.
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
