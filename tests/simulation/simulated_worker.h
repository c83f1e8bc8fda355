// A simulated worker: the real Session, Outbox and Executor, and the work of worker/worker.cpp, on simulated wires and
// fibers. Its process can be killed, suspended for a while, and drained.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/executing.h"
#include "tests/simulation/network.h"
#include "worker/outbox.h"
#include "worker/session.h"

namespace pipekit::simulation {

class SimulatedWorker {
 public:
  struct Config {
    std::string name;
    int64_t slots = 2;
    std::vector<std::string> tags;
  };
  SimulatedWorker(World& world, Network& network, Destinations& destinations, Config config);
  ~SimulatedWorker();
  SimulatedWorker(const SimulatedWorker&) = delete;
  SimulatedWorker& operator=(const SimulatedWorker&) = delete;

  // A new process. `same_state`: it uses the state directory of the previous process, whose children are then dead.
  void start(bool same_state);
  void kill();
  void stop();  // SIGSTOP, or the host sleeps
  void go_on();
  void drain();  // SIGTERM
  // Called when an assignment has arrived but has not been read.
  void on_assignment(std::function<void()> callback) { on_assignment_ = std::move(callback); }
  // Called when it refuses an assignment, which is the only message that it sends once and does not keep.
  void on_refusal(std::function<void()> callback) { on_refusal_ = std::move(callback); }

  [[nodiscard]] bool alive() const { return session_.has_value(); }
  [[nodiscard]] bool draining() const { return draining_; }
  [[nodiscard]] bool stopped() const { return stopped_; }
  [[nodiscard]] const std::string& name() const { return config_.name; }
  [[nodiscard]] int64_t slots() const { return config_.slots; }
  [[nodiscard]] Wire& wire() { return wire_; }
  [[nodiscard]] HostClock& clock() { return clock_; }
  // The attempts that it believes it may continue, by its own clock.
  [[nodiscard]] std::vector<RunKey> believes() const;
  [[nodiscard]] bool executes(RunKey key) const;

 private:
  void receive(Frames frames);
  void wake() { wake_at(world_.now() + std::chrono::microseconds{world_.random.between(10, 500)}); }
  void wake_at(MonoTime when);
  void loop();
  void carry_out(worker::Actions actions);
  void start(const Assignment& assignment);
  void on_executor(const worker::FromExecutor& message);
  void on_broker();
  void end_process();
  Executing* find(RunKey key);
  [[nodiscard]] bool may_leave() const;

  World& world_;
  Network& network_;
  Config config_;
  HostClock clock_;
  Executing::Host host_;
  Wire wire_;
  worker::RunnerConfig runner_config_;
  int64_t incarnations_ = 0;
  int64_t state_ids_ = 0;
  std::function<void()> on_assignment_;
  std::function<void()> on_refusal_;
  bool stopped_ = false;
  bool reconnected_ = false;  // the process has not noticed yet
  bool draining_ = false;
  bool leaving_ = false;              // has said goodbye
  std::optional<MonoTime> woken_at_;  // the next planned pass of the loop
  std::optional<worker::Session> session_;
  worker::Outbox outbox_;
  std::deque<Frames> from_broker_;
  std::deque<worker::FromExecutor> from_executors_;
  std::map<std::string, std::shared_ptr<Executing>> executing_;
};

}  // namespace pipekit::simulation
