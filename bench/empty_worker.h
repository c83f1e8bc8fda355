// A worker whose jobs are empty: the shipped session, outbox and socket, but instead of an executor an immediate
// answer. It measures the way to a worker and back. It runs on its own thread.
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
  // Joins the broker at `endpoint`; its thread starts immediately.
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
