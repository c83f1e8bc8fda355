// A live tail that counts the log lines of one run as they arrive and stores none. One thread.
#pragma once

#include <string>

#include "shared/channel.h"
#include "shared/clock.h"
#include "shared/protocol.h"

namespace pipekit::bench {

class LineTail {
 public:
  // Starts with the next event.
  LineTail(const std::string& endpoint, int64_t after, int64_t run);

  // Returns when the run has reached a step, or when its log has that many lines.
  void wait_step(const std::string& step);
  void wait_lines(int64_t lines);
  [[nodiscard]] int64_t lines() const { return lines_; }

 private:
  void ask();
  void next();
  void take(const TailReply& reply);

  SystemClock clock_;
  zmq::context_t context_;
  DealerSocket socket_;
  TailRequest request_;
  int64_t lines_ = 0;
  std::string step_;
};

}  // namespace pipekit::bench
