// Submits jobs as a client of the control socket, with many unanswered requests at a time. One thread.
#pragma once

#include <optional>
#include <string>

#include "bench/job_board.h"
#include "shared/channel.h"
#include "shared/clock.h"
#include "shared/poller.h"

namespace pipekit::bench {

class Submitter {
 public:
  Submitter(const std::string& endpoint, JobBoard& board);

  // Returns when all are accepted. Waits until a module is free.
  void submit(int64_t jobs, int64_t most_unanswered);
  // Submits one and returns its number, once it is accepted.
  size_t submit_one();

 private:
  std::optional<size_t> try_send();  // nullopt: no module is free
  void wait(bool for_free_modules);
  int64_t take_replies();

  JobBoard& board_;
  SystemClock clock_;
  zmq::context_t context_;
  DealerSocket socket_;
  Poller poller_;
  size_t on_socket_;
  size_t on_freed_;
  int64_t number_ = 0;
};

}  // namespace pipekit::bench
