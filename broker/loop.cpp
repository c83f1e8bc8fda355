#include "broker/loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "broker/answer.h"
#include "broker/stall_watch.h"
#include "broker/store/lock_holder.h"
#include "shared/endpoint.h"
#include "shared/failpoint.h"
#include "shared/overload.h"
#include "shared/plural.h"

namespace pipekit {
namespace {

constexpr std::chrono::seconds kTellRefused{10};
// Room for a burst of commands, and a bound for a peer that does not read.
constexpr int kClientQueue = 512;
constexpr int64_t kClientQueueBytes = int64_t{32} << 20U;
constexpr size_t kClientTurnBytes = 16UL << 20U;
// Assignments that a worker does not get are sent again, but only at its next heartbeat.
constexpr int kWorkerQueue = 10'000;
constexpr int64_t kWorkerQueueBytes = int64_t{256} << 20U;
constexpr size_t kWorkerTurnBytes = 64UL << 20U;
// While another process has locked the store: nothing reports when it is free.
constexpr Millis kTryLock{20};
constexpr std::chrono::seconds kTellLocked{1};
constexpr std::chrono::seconds kTellLockedAgain{10};

double in_seconds(MonoTime::duration time) {
  return std::chrono::duration_cast<std::chrono::duration<double>>(time).count();
}

// A quarter of a heartbeat's time.
BrokerConfig with_clock(BrokerConfig config, const Clock& clock) {
  config.read_lag = config.lease / 24;
  config.stopwatch = [&clock] { return clock.now(); };
  return config;
}

}  // namespace

BrokerLoop::BrokerLoop(store::Database& db, const BrokerConfig& config, SignalFd& signals)
    : db_(db),
      signals_(signals),
      lease_(config.lease),
      connections_(clock_, !is_ipc(config.control_endpoint) || !is_ipc(config.worker_endpoint)),
      zap_(context_),
      control_(context_, {config.control_endpoint, config.local_control, config.control_group, config.keys,
                          kClientQueue, kClientQueueBytes, kClientTurnBytes}),
      workers_(context_, {config.worker_endpoint, config.local_workers, config.worker_group, config.keys, kWorkerQueue,
                          kWorkerQueueBytes, kWorkerTurnBytes}),
      reads_(context_, db.file()),
      broker_(db, with_clock(config, clock_), clock_.now(), clock_.wall()) {
  broker_.show_connections([this] { return connections_.json(); });
  connections_.begin();
}

bool BrokerLoop::begin_turn() {
  if (broker_.begin()) return true;
  Poller poller;
  const auto on_signal = poller.add(signals_.fd());
  const auto since = clock_.now();
  auto tell_at = since + kTellLocked;
  bool told = false;
  do {
    if (clock_.now() >= tell_at) {
      const auto holder = store::lock_holder(db_.file(), store::LockKind::writing);
      spdlog::warn(
          "waiting for {} to release its lock on the store {}: for {:.1f} s nothing has been accepted or started",
          holder.value_or("another process"), db_.file().string(), in_seconds(clock_.now() - since));
      tell_at = clock_.now() + kTellLockedAgain;
      told = true;
    }
    poller.wait_until(clock_.now() + kTryLock, clock_);
    if (poller.readable(on_signal)) return false;
  } while (!broker_.begin());
  if (told) spdlog::info("the store is free again, after {:.1f} s", in_seconds(clock_.now() - since));
  return true;
}

TurnInput BrokerLoop::gather(MonoTime woken, MonoTime::duration stall) {
  TurnInput input;
  input.stall = stall;
  const auto from_worker = [&](const Received& from, size_t) {
    connections_.spoke(from.fd, from.key);
    return broker_.wants_worker_frame(from, woken);
  };
  const auto from_client = [&](const Received& from, size_t bytes) {
    connections_.spoke(from.fd, from.key);
    return broker_.wants_client_frame(from, bytes, woken);
  };
  if (workers_.drain(input.from_workers, from_worker)) input.drained_since = woken;
  control_.drain(input.from_clients, from_client);
  input.now = clock_.now();
  input.wall = clock_.wall();
  return input;
}

void BrokerLoop::run() {
  Poller poller;
  const auto on_signal = poller.add(signals_.fd());
  workers_.add_to(poller);
  control_.add_to(poller);
  const auto on_clock_set = poller.add(clock_set_.fd());
  const auto on_answer = poller.add(reads_.socket());
  const auto on_handshake = poller.add(zap_.socket());
  const auto on_refused = poller.add(connections_.fd());

  std::optional<MonoTime> wake = clock_.now();
  StallWatch stalls(lease_);
  stalls.rests(clock_.now(), wake);
  for (;;) {
    poller.wait_until(wake, clock_);
    if (poller.readable(on_signal) && signals_.take() > 0) break;
    if (poller.readable(on_clock_set)) clock_set_.rearm();  // the turn checks the schedules again
    const auto woken = clock_.now();
    const auto stall = stalls.wakes(woken);
    if (stall > MonoTime::duration{}) {
      spdlog::warn("the broker was paused for up to {:.1f} s: leases are extended by that", in_seconds(stall));
    }
    std::vector<std::unique_ptr<CheckedDocument>> checked;
    if (poller.readable(on_answer)) forward_answers(checked);
    if (poller.readable(on_handshake)) answer_handshakes();
    if (poller.readable(on_refused) || !refused_connections_.empty()) report_refused_connections();
    count_strangers();
    if (!begin_turn()) break;
    auto input = gather(woken, stall);
    input.checked = std::move(checked);
    auto output = broker_.turn(std::move(input));
    db_.check_in_place();  // before a reply says that it is stored
    FAILPOINT("broker.send.before");
    for (const auto& outgoing : output.sends) send(outgoing);
    for (auto& job : output.reads) reads_.submit(std::move(job));
    for (auto& spent : output.spent) reads_.discard(std::move(spent));
    for (const auto& to : output.beats) beat(to);
    FAILPOINT("broker.send.after");
    wake = output.wake;
    connections_.cut_silent(clock_.now());
    const auto silent = connections_.next_deadline();
    const auto untold = refused_connections_.empty() ? std::nullopt : std::optional(*told_connections_ + kTellRefused);
    for (const auto& due : {silent, untold}) {
      if (due) wake = wake ? std::min(*wake, *due) : *due;
    }
    const auto rested = clock_.now();
    stalls.rests(rested, wake);
    broker_.add_turn_time(rested - woken);
  }
  spdlog::info("leaving: running transfers go on and reattach to the next broker");
  for (const auto& outgoing : broker_.farewell()) send(outgoing);
}

void BrokerLoop::forward_answers(std::vector<std::unique_ptr<CheckedDocument>>& checked) {
  while (auto answer = reads_.try_receive()) {
    if (!answer->overloaded_by.empty()) broker_.add_overload(answer->overloaded_by, clock_.now());
    if (answer->checked) {
      checked.push_back(std::move(answer->checked));
      continue;
    }
    const auto peer = answer->id == 0 ? std::optional(answer->peer) : broker_.end_read(answer->id);
    if (peer) control_.send(*peer, std::move(answer->frames));
  }
}

// A peer that cannot be reached, or does not read, has stopped waiting.
void BrokerLoop::beat(const ToClient& beat) {
  if (control_.send(beat.peer, encode(beat.message))) return;
  for (const auto id : broker_.peer_gone(beat.peer)) reads_.abandon(id);
}

void BrokerLoop::answer_handshakes() {
  using Answer = ZapSocket::Answer;
  const auto handshakes = zap_.answer([&](const std::string& key) {
    if (!broker_.admits(key)) return Answer::unknown;
    return connections_.admits_key(key, clock_.now()) ? Answer::allowed : Answer::too_many;
  });
  refused(handshakes, untold_keys_, "a key that is not allowed");
}

void BrokerLoop::count_strangers() {
  const auto handshakes = control_.take_strangers() + workers_.take_strangers();
  refused(handshakes, untold_strangers_,
          "without a key, with a wrong one of this broker, not of this protocol, or broken off");
}

void BrokerLoop::report_refused_connections() {
  for (const auto& [why, count] : connections_.take_refused()) refused_connections_[why] += count;
  const auto now = clock_.now();
  if (refused_connections_.empty() || (told_connections_ && now < *told_connections_ + kTellRefused)) return;
  told_connections_ = now;
  for (const auto& [why, count] : refused_connections_) {
    spdlog::error(
        "refused {}: {} (the limits follow from the {} files that the broker may have open: LimitNOFILE, "
        "ulimit -n)",
        count_of(count, "connection"), why, connections_.open_files());
  }
  refused_connections_.clear();
}

void BrokerLoop::refused(int64_t handshakes, Untold& untold, const char* why) {
  if (handshakes == 0) return;
  broker_.add_refused(handshakes);
  untold.refused += handshakes;
  const auto now = clock_.now();
  if (untold.told && now < *untold.told + kTellRefused) return;
  untold.told = now;
  spdlog::warn("refused {}: {}", count_of(std::exchange(untold.refused, 0), "connection"), why);
}

// A peer that is gone or full loses the message: heartbeats, resent requests and repeated tails make up for it.
void BrokerLoop::send(const Outgoing& outgoing) {
  std::visit(Overload{
                 [&](const ToClient& to) { control_.send(to.peer, encode_answer(to.message, true)); },
                 [&](const ToWorker& to) { workers_.send(to.peer, encode(to.message)); },
             },
             outgoing);
}

}  // namespace pipekit
