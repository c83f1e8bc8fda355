#include "tests/simulation/simulated_worker.h"

#include <algorithm>
#include <utility>
#include <zmq.hpp>

#include "worker/executor.h"

namespace pipekit::simulation {
namespace {

std::string id_of(RunKey key) { return fmt::format("{}/{}", key.run.value, key.epoch.value); }

// Executors need one; nothing is sent through it.
zmq::context_t& no_context() {
  static zmq::context_t context;
  return context;
}

MonoTime::duration offset_of(World& world) { return std::chrono::seconds{world.random.between(0, 1'000'000)}; }

}  // namespace

SimulatedWorker::SimulatedWorker(World& world, Network& network, Destinations& destinations, Config config)
    : world_(world),
      network_(network),
      config_(std::move(config)),
      clock_(world, offset_of(world)),
      host_{world, destinations,
            [this](worker::FromExecutor message) {
              from_executors_.push_back(std::move(message));
              wake();
            },
            [this] { return alive() && !stopped_; }},
      wire_(
          world, network, Side::workers, [this](Frames frames) { receive(std::move(frames)); }, true) {
  wire_.on_connected([this] {
    reconnected_ = true;
    wake();
  });
}

void SimulatedWorker::receive(Frames frames) {
  const auto message = decode_broker_to_worker(frames.head, frames.body);
  const bool assigns = message && std::holds_alternative<Assignment>(*message);
  from_broker_.push_back(std::move(frames));
  wake();
  if (assigns && on_assignment_) on_assignment_();
}

SimulatedWorker::~SimulatedWorker() { end_process(); }

void SimulatedWorker::start(bool same_state) {
  end_process();
  if (!same_state || state_ids_ == 0) ++state_ids_;
  worker::Identity identity;
  identity.name = config_.name;
  identity.incarnation = fmt::format("{}-i{}", config_.name, ++incarnations_);
  identity.state_id = fmt::format("{}-s{}", config_.name, state_ids_);
  identity.host = "host";
  identity.slots = config_.slots;
  identity.tags = config_.tags;
  world_.note("{}: starts as {} on {}", config_.name, identity.incarnation, identity.state_id);
  session_.emplace(identity);
  wire_.open();
  carry_out(session_->begin(clock_.now()));
  wake();
}

void SimulatedWorker::end_process() {
  wire_.close();
  session_.reset();
  outbox_ = {};
  from_broker_.clear();
  from_executors_.clear();
  stopped_ = draining_ = leaving_ = reconnected_ = false;
  woken_at_.reset();
  for (const auto& [id, executing] : std::exchange(executing_, {})) executing->die();
}

void SimulatedWorker::kill() {
  if (!alive()) return;
  world_.note("{}: killed with {} executing", config_.name, executing_.size());
  end_process();
}

void SimulatedWorker::stop() {
  if (!alive()) return;
  world_.note("{}: stopped", config_.name);
  stopped_ = true;
}

void SimulatedWorker::go_on() {
  if (!stopped_) return;
  world_.note("{}: goes on", config_.name);
  stopped_ = false;
  wake();
  for (const auto& [id, executing] : executing_) executing->wake();
}

void SimulatedWorker::drain() {
  if (!alive() || draining_) return;
  world_.note("{}: drains", config_.name);
  draining_ = true;
  carry_out(session_->drain(clock_.now()));
  wake();
}

std::vector<RunKey> SimulatedWorker::believes() const {
  std::vector<RunKey> keys;
  if (!alive()) return keys;
  for (const auto& [id, executing] : executing_) {
    if (session_->may_go_on(executing->key(), clock_.now())) keys.push_back(executing->key());
  }
  return keys;
}

bool SimulatedWorker::executes(RunKey key) const {
  return std::ranges::any_of(executing_, [&](const auto& entry) { return entry.second->key() == key; });
}

void SimulatedWorker::wake_at(MonoTime when) {
  if (!alive() || (woken_at_ && *woken_at_ <= when && *woken_at_ >= world_.now())) return;
  woken_at_ = when;
  world_.at(when, [this, when] {
    if (woken_at_ != when) return;
    woken_at_.reset();  // also for a suspended process: it may continue at this very moment
    if (!stopped_ && alive()) loop();
  });
}

// One pass of Worker::run().
void SimulatedWorker::loop() {
  carry_out(session_->tick(clock_.now()));
  while (!from_executors_.empty()) {
    const auto message = std::move(from_executors_.front());
    from_executors_.pop_front();
    on_executor(message);
  }
  on_broker();
  if (!alive()) return;
  if (std::exchange(reconnected_, false)) carry_out(session_->reconnected(clock_.now()));
  if (leaving_) return;
  if (may_leave()) {
    leaving_ = true;
    world_.note("{}: leaves, drained", config_.name);
    wire_.send(encode(WorkerToBroker{Goodbye{}}));
    // The last messages still arrive: the socket lingers.
    world_.after(Millis{50}, [this, process = incarnations_] {
      if (process == incarnations_) end_process();
    });
    return;
  }
  wake_at(std::max(clock_.in_world(session_->next_deadline()), world_.now() + Millis{1}));
}

bool SimulatedWorker::may_leave() const {
  return draining_ && session_->idle() && executing_.empty() && outbox_.empty();
}

void SimulatedWorker::on_broker() {
  while (!from_broker_.empty()) {
    const auto frames = std::move(from_broker_.front());
    from_broker_.pop_front();
    const auto message = decode_broker_to_worker(frames.head, frames.body);
    if (!message) return world_.broken("a worker cannot read what the broker sent: " + message.error().message);
    auto actions = session_->on_message(*message, clock_.now());
    if (actions.fatal) return world_.broken("a worker was refused for good: " + actions.fatal->message);
    const bool replaced = actions.replace_socket;
    carry_out(std::move(actions));
    if (replaced) return;
  }
}

void SimulatedWorker::carry_out(worker::Actions actions) {
  if (actions.replace_socket) {
    from_broker_.clear();
    wire_.replace();
  }
  for (const auto& message : actions.send) {
    wire_.send(encode(message));
    const auto* fact = std::get_if<Fact>(&message);
    if (fact == nullptr || !std::holds_alternative<fact::Refused>(fact->body)) continue;
    world_.count("assignments refused");
    if (on_refusal_) on_refusal_();
  }
  if (actions.resend_facts) {
    for (const auto* frames : outbox_.open()) wire_.send(*frames);
  }
  for (const auto key : actions.kill) {
    if (auto* executing = find(key)) executing->hear({Executing::Note::Kind::kill});
  }
  for (const auto key : actions.cancel) {
    if (auto* executing = find(key)) executing->hear({Executing::Note::Kind::cancel});
  }
  for (const auto& ack : actions.acknowledged) {
    if (auto* executing = find(ack.key)) executing->hear({Executing::Note::Kind::acknowledged, ack.seq});
    if (outbox_.acknowledged(ack.key, ack.seq)) session_->over(ack.key);
  }
  for (const auto& assignment : actions.start) start(assignment);
}

Executing* SimulatedWorker::find(RunKey key) {
  const auto found = executing_.find(id_of(key));
  return found == executing_.end() ? nullptr : found->second.get();
}

void SimulatedWorker::start(const Assignment& assignment) {
  const auto id = id_of(assignment.key);
  world_.note("{}: begins {}{} of {}", config_.name, assignment.reconcile ? "to ask about " : "", id,
              assignment.module.name);
  auto body = [this, id, assignment] {
    worker::Link link(no_context(), id, assignment.key);
    worker::Executor(assignment, runner_config_, clock_, link).run();
    link.done();
  };
  const auto executing = std::make_shared<Executing>(host_, id, assignment.key, std::move(body));
  executing_[id] = executing;
  executing->start();
}

void SimulatedWorker::on_executor(const worker::FromExecutor& message) {
  switch (message.kind) {
    case worker::FromExecutor::Kind::fact:
      outbox_.add(message.key, message.seq, message.final, message.frames);
      if (session_->connected()) wire_.send(message.frames);
      break;
    case worker::FromExecutor::Kind::may_start:
      executing_.at(message.id)
          ->hear({session_->may_go_on(message.key, clock_.now()) ? Executing::Note::Kind::go
                                                                 : Executing::Note::Kind::stop});
      break;
    case worker::FromExecutor::Kind::result:
      wire_.send(message.frames);
      break;
    case worker::FromExecutor::Kind::done:
      executing_.erase(message.id);
      break;
  }
}

}  // namespace pipekit::simulation
