#include "broker/loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "broker/answer.h"
#include "shared/failpoint.h"
#include "shared/overload.h"
#include "shared/plural.h"

namespace pipekit {
namespace {

// Room for a burst of commands, and a bound for who does not read.
constexpr std::chrono::seconds kTellRefused{10};
constexpr int kClientQueue = 512;
constexpr int64_t kClientQueueBytes = int64_t{32} << 20U;
constexpr size_t kClientTurnBytes = 16UL << 20U;
// Assignments that a worker does not get are sent again, but only at its next heartbeat.
constexpr int kWorkerQueue = 10'000;
constexpr int64_t kWorkerQueueBytes = int64_t{256} << 20U;
constexpr size_t kWorkerTurnBytes = 64UL << 20U;

}  // namespace

BrokerLoop::BrokerLoop(store::Database& db, const BrokerConfig& config, SignalFd& signals)
    : db_(db),
      signals_(signals),
      stall_(config.lease / 12),
      zap_(context_),
      control_(context_, {config.control_endpoint, config.local_control, config.keys, kClientQueue, kClientQueueBytes,
                          kClientTurnBytes}),
      workers_(context_, {config.worker_endpoint, config.local_workers, config.keys, kWorkerQueue, kWorkerQueueBytes,
                          kWorkerTurnBytes}),
      reads_(context_, db.file()),
      broker_(db, config, clock_.now(), clock_.wall()) {}

TurnInput BrokerLoop::gather(MonoTime woken, MonoTime::duration stall) {
  TurnInput input;
  input.stall = stall;
  const auto from_worker = [&](const Received& from, size_t) { return broker_.wants_worker_frame(from, woken); };
  const auto from_client = [&](const Received& from, size_t bytes) {
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

  std::optional<MonoTime> wake = clock_.now();
  MonoTime::duration late{};
  for (;;) {
    poller.wait_until(wake, clock_);
    if (poller.readable(on_signal) && signals_.take() > 0) break;
    if (poller.readable(on_clock_set)) clock_set_.rearm();  // the turn looks at the schedules anew
    const auto woken = clock_.now();
    // What this process slept too long or worked too long is nobody else's delay.
    if (wake && woken > *wake) late += woken - *wake;
    std::vector<std::unique_ptr<CheckedDocument>> checked;
    if (poller.readable(on_answer)) forward_answers(checked);
    if (poller.readable(on_handshake)) answer_handshakes();
    count_strangers();
    auto input = gather(woken, late > stall_ ? late : MonoTime::duration{});
    input.checked = std::move(checked);
    input.stopwatch = [this] { return clock_.now(); };
    auto output = broker_.turn(std::move(input));
    db_.check_in_place();  // before anybody is told that it is kept
    FAILPOINT("broker.send.before");
    for (const auto& outgoing : output.sends) send(outgoing);
    for (auto& job : output.reads) reads_.submit(std::move(job));
    for (auto& spent : output.spent) reads_.discard(std::move(spent));
    for (const auto& to : output.beats) beat(to);
    FAILPOINT("broker.send.after");
    wake = output.wake;
    late = clock_.now() - woken;
    broker_.add_turn_time(late);
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

// One that cannot be reached, or does not read, has stopped waiting.
void BrokerLoop::beat(const ToClient& beat) {
  if (control_.send(beat.peer, encode(beat.message))) return;
  for (const auto id : broker_.peer_gone(beat.peer)) reads_.abandon(id);
}

void BrokerLoop::answer_handshakes() {
  const auto handshakes = zap_.answer([&](const std::string& key) { return broker_.admits(key); });
  refused(handshakes, untold_keys_, "a key that is not allowed");
}

void BrokerLoop::count_strangers() {
  const auto handshakes = control_.take_strangers() + workers_.take_strangers();
  refused(handshakes, untold_strangers_,
          "without a key, with a wrong one of this broker, not of this protocol, or broken off");
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
