#include "worker/worker.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "shared/client_keys.h"
#include "shared/failpoint.h"
#include "shared/startup.h"
#include "worker/executor.h"
#include "worker/question.h"

namespace pipekit::worker {
namespace {

std::string link_id(RunKey key) { return fmt::format("attempt-{}", key.epoch.value); }
std::string task_link_id(int64_t task) { return fmt::format("task-{}", task); }

}  // namespace

Worker::Worker(WorkerConfig config, const StateDir& state, SignalFd& signals)
    : config_(std::move(config)), state_(state), signals_(signals), hub_(context_), session_(config_.identity) {
  connect();
}

void Worker::connect() {
  monitor_.reset();
  socket_.reset();  // nothing that it had queued is needed: facts are in the outbox
  socket_ = std::make_unique<DealerSocket>(context_, config_.broker, true, config_.keys);
  monitor_ = std::make_unique<SocketMonitor>(
      context_, socket_->socket(), kRefusals | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL);
}

int Worker::run() {
  carry_out(session_.begin(clock_.now()));
  while (!fatal_ && !may_leave()) {
    Poller poller;  // created again each time, because the broker's socket may have been replaced
    const auto on_signals = poller.add(signals_.fd());
    const auto on_link = poller.add(hub_.socket());
    const auto on_socket = poller.add(socket_->socket());
    const auto on_monitor = poller.add(monitor_->socket());
    auto wake = session_.next_deadline();
    if (drain_until_) wake = std::min(wake, *drain_until_);
    poller.wait_until(wake, clock_);
    if (poller.readable(on_signals)) on_signal();
    // Deadlines first: after a long sleep of this process its leases are over, whatever there is to read.
    carry_out(session_.tick(clock_.now()));
    if (drain_until_ && *drain_until_ <= clock_.now()) end_at_once("the drain timeout has passed");
    if (poller.readable(on_link)) {
      while (auto message = hub_.try_receive()) on_executor(*message);
    }
    if (poller.readable(on_socket)) on_broker();
    if (poller.readable(on_monitor)) on_connection();
  }
  if (fatal_) {
    const int code = report(*fatal_);
    if (!running_.empty()) std::_Exit(code);  // the supervisors end the children
    return code;
  }
  send(encode(WorkerToBroker{Goodbye{}}));
  if (unfit_) return report(*unfit_);
  spdlog::info("drained");
  return 0;
}

void Worker::end_at_once(const char* why) {
  spdlog::warn("{}: stopping at once and killing all children", why);
  spdlog::default_logger()->flush();
  std::_Exit(1);  // each supervisor sees its pipe close and kills its child
}

void Worker::on_signal() {
  for (int signals = signals_.take(); signals > 0; --signals) {
    if (draining_) end_at_once("second signal");
    spdlog::info("draining: {} running", running_.size());
    draining_ = true;
    if (config_.drain_timeout) drain_until_ = clock_.now() + *config_.drain_timeout;
    carry_out(session_.drain(clock_.now()));
  }
}

// The broker does not accept this worker. While it has runs their leases decide: the broker may have been
// misconfigured.
void Worker::on_connection() {
  bool refused = false;
  bool connected = false;
  while (const auto event = monitor_->next()) {
    refused = refused || is_refusal(*event);
    connected = connected || *event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    hung_up_on_ = *event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
  }
  if (connected) carry_out(session_.reconnected(clock_.now()));
  if (!refused) return;
  auto error = handshake_refused(config_.broker, config_.keys.has_value());
  if (session_.idle() && running_.empty()) {
    fatal_ = std::move(error);
  } else if (!searching_) {
    spdlog::error("{}", error.message);
  }
}

void Worker::on_broker() {
  while (auto received = socket_->try_receive()) {
    const auto message = decode_broker_to_worker(received->frames.head, received->frames.body);
    if (!message) {
      spdlog::error("from the broker: {}", message.error().message);
      if (message.error().code == ErrorCode::kVersionMismatch) fatal_ = message.error();
      continue;
    }
    auto actions = session_.on_message(*message, clock_.now());
    const bool replaced = actions.replace_socket;
    carry_out(std::move(actions));
    if (replaced) return;
  }
}

void Worker::carry_out(Actions actions) {
  if (actions.fatal) fatal_ = std::move(actions.fatal);
  if (actions.not_yet) spdlog::warn("waiting: {}; {}", actions.not_yet->message, actions.not_yet->hint);
  if (actions.replace_socket) {
    if (!searching_) {
      spdlog::info("no word from the broker at {}{}: reconnecting until it answers", config_.broker,
                   hung_up_on_ ? ", which closes the connection in the handshake (is --broker-key its key?)" : "");
    }
    searching_ = true;
    connect();
  }
  FAILPOINT("worker.send.before");
  for (const auto& message : actions.send) send(encode(message));
  FAILPOINT("worker.send.after");
  if (actions.resend_facts) {
    spdlog::info("welcomed by the broker at {}", config_.broker);
    searching_ = false;
    for (const auto* frames : outbox_.open()) send(*frames);
  }
  for (const auto key : actions.kill) hub_.kill(link_id(key));
  for (const auto key : actions.cancel) hub_.cancel(link_id(key));
  for (const auto task : actions.drop) hub_.cancel(task_link_id(task));
  for (const auto& ack : actions.acknowledged) {
    hub_.acknowledged(link_id(ack.key), ack.seq);
    if (outbox_.acknowledged(ack.key, ack.seq)) session_.over(ack.key);
  }
  for (const auto& assignment : actions.start) start(assignment);
  for (const auto& task : actions.tasks) start(task);
}

void Worker::start(const Assignment& assignment) {
  FAILPOINT("worker.assignment.received");
  if (const auto usable = state_.check(); !usable) return give_back(assignment, usable.error());
  const auto id = link_id(assignment.key);
  auto body = [this, id, assignment] {
    Link link(context_, id, assignment.key);
    Executor(assignment, config_.runner, clock_, link).run();
    link.done();
  };
  running_[id] = {assignment.key, std::nullopt, std::thread(std::move(body))};
}

// Every run would fail here. This one is queued again as never started; those in progress end as they can, and then the
// worker ends too, so that its exit code and log say why.
void Worker::give_back(const Assignment& assignment, const Error& why) {
  spdlog::error("{}: accepting no more runs", why.message);
  unfit_ = why;
  send(encode(WorkerToBroker{Fact{assignment.key, 1, fact::Refused{{"refused", why.message, why.hint}}}}));
  session_.over(assignment.key);
  carry_out(session_.drain(clock_.now()));
}

void Worker::start(const Task& task) {
  const auto id = task_link_id(task.id);
  if (running_.contains(id)) return;
  // A broker asks no more than this; whoever else does gets no process for it.
  const auto open = std::ranges::count_if(running_, [](const auto& entry) { return entry.second.task.has_value(); });
  if (open >= config_.identity.slots) {
    const WireError why{std::string(to_string(ErrorCode::kOverloaded)),
                        fmt::format("worker {} has {} questions open, as many as slots", config_.identity.name, open),
                        "wait for some of them"};
    send(encode(WorkerToBroker{TaskResult{task.id, why, nullptr}}));
    return;
  }
  auto body = [this, id, task] {
    Link link(context_, id, {});
    link.send(answer(task, config_.runner, clock_, link));
    link.done();
  };
  running_[id] = {{}, task.id, std::thread(std::move(body))};
}

void Worker::on_executor(const FromExecutor& message) {
  switch (message.kind) {
    case FromExecutor::Kind::fact:
      outbox_.add(message.key, message.seq, message.final, message.frames);
      if (session_.connected()) send(message.frames);
      break;
    case FromExecutor::Kind::may_start: {
      const auto& running = running_.at(message.id);
      hub_.answer(message.id, running.task || session_.may_go_on(running.key, clock_.now()));
      break;
    }
    case FromExecutor::Kind::result:
      send(message.frames);
      break;
    case FromExecutor::Kind::done: {
      const auto found = running_.find(message.id);
      found->second.thread.join();  // it has nothing left to do but to end
      running_.erase(found);
      break;
    }
  }
}

}  // namespace pipekit::worker
