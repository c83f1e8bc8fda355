// A worker whose jobs are empty: the shipped session, outbox and socket, and in place of an executor an answer at once.
// What it costs is what the way to a worker and back costs. One thread of its own.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "bench/job_board.h"
#include "shared/channel.h"
#include "worker/outbox.h"
#include "worker/session.h"

namespace pipekit::bench {

class EmptyWorker {
 public:
  // Joins the broker at `endpoint`; its thread begins at once.
  EmptyWorker(const std::string& endpoint, const std::string& name, int slots, JobBoard& board);
  ~EmptyWorker();
  EmptyWorker(const EmptyWorker&) = delete;
  EmptyWorker& operator=(const EmptyWorker&) = delete;

 private:
  void run();
  void serve();
  void read();
  void carry_out(worker::Actions actions);
  void connect() { socket_ = std::make_unique<DealerSocket>(context_, endpoint_, true); }
  void execute(const Assignment& assignment);
  void tell(RunKey key, int64_t seq, bool final, FactBody body);

  JobBoard& board_;
  SystemClock clock_;
  zmq::context_t context_;
  worker::Session session_;
  worker::Outbox outbox_;
  const std::string endpoint_;
  std::unique_ptr<DealerSocket> socket_;
  std::map<RunKey, size_t> jobs_;
  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace pipekit::bench
