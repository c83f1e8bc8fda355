// The worker's loop: the socket to the broker, the executors, signals and deadlines. It owns the Session and the
// Outbox; executors are threads that it knows by their link's name only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "shared/channel.h"
#include "shared/poller.h"
#include "shared/signals.h"
#include "shared/socket_monitor.h"
#include "worker/link.h"
#include "worker/outbox.h"
#include "worker/runner.h"
#include "worker/session.h"
#include "worker/state_dir.h"

namespace pipekit::worker {

struct WorkerConfig {
  std::string broker;  // endpoint
  std::optional<ClientKeys> keys;
  Identity identity;
  RunnerConfig runner;
  std::optional<std::chrono::seconds> drain_timeout;  // none: as long as it takes
};

class Worker {
 public:
  Worker(WorkerConfig config, const StateDir& state, SignalFd& signals);

  // Until drained (0), stopped at once, rejected by the broker or without its state directory (the error's exit code).
  int run();

 private:
  struct Running {
    RunKey key;
    std::optional<int64_t> task;  // else an attempt
    std::thread thread;
  };

  void carry_out(Actions actions);
  void start(const Assignment& assignment);
  void give_back(const Assignment& assignment, const Error& why);
  void start(const Task& task);
  void on_broker();
  void on_executor(const FromExecutor& message);
  void on_signal();
  void on_connection();
  void connect();
  bool send(const Frames& frames) { return socket_->send(frames); }
  [[nodiscard]] bool may_leave() const {
    return (draining_ || unfit_) && session_.idle() && running_.empty() && outbox_.empty();
  }
  [[noreturn]] static void end_at_once(const char* why);

  WorkerConfig config_;
  const StateDir& state_;
  SignalFd& signals_;
  SystemClock clock_;
  zmq::context_t context_;
  LinkHub hub_;
  Session session_;
  Outbox outbox_;
  std::unique_ptr<DealerSocket> socket_;
  std::unique_ptr<SocketMonitor> monitor_;  // of socket_
  std::map<std::string, Running> running_;
  std::optional<Error> fatal_;
  std::optional<Error> unfit_;  // drains, and then ends with this
  bool draining_ = false;
  bool hung_up_on_ = false;  // in the last handshake
  bool searching_ = false;   // for the broker; logged once
  std::optional<MonoTime> drain_until_;
};

}  // namespace pipekit::worker
