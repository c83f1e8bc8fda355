#include "broker/loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "broker/answer.h"
#include "shared/failpoint.h"
#include "shared/overload.h"

namespace pipekit {
namespace {

constexpr int kMaxFramesPerTurn = 512;  // a side; what is left waits for the next turn, so that time is never starved
// Of answers to one client, each up to 256 KiB: room for a burst of commands, and a bound for who does not read.
constexpr int kClientQueue = 512;
constexpr int kWorkerQueue = 10'000;

constexpr char kLocal = 'L';  // a routing id begins with a zero byte

// A socket in the file system is guarded by its mode.
std::optional<KeyPair> keys_for(const std::string& endpoint, const BrokerConfig& config) {
  return endpoint.starts_with("tcp://") ? config.keys : std::nullopt;
}

// True when nothing was left.
bool drain(RouterSocket& socket, std::vector<Received>& into) {
  for (int i = 0; i < kMaxFramesPerTurn; ++i) {
    auto received = socket.try_receive();
    if (!received) return true;
    into.push_back(std::move(*received));
  }
  return false;
}

}  // namespace

BrokerLoop::BrokerLoop(store::Database& db, const BrokerConfig& config, SignalFd& signals)
    : db_(db),
      signals_(signals),
      stall_(config.lease / 12),
      zap_(context_),
      control_(context_, config.control_endpoint, kClientQueue, keys_for(config.control_endpoint, config)),
      workers_(context_, config.worker_endpoint, kWorkerQueue, keys_for(config.worker_endpoint, config)),
      reads_(context_, db.file()),
      broker_(db, config, clock_.now(), clock_.wall()) {
  if (!config.local_endpoint.empty()) local_.emplace(context_, config.local_endpoint, kClientQueue);
}

TurnInput BrokerLoop::gather(MonoTime woken, MonoTime::duration stall) {
  TurnInput input;
  input.stall = stall;
  if (drain(workers_, input.from_workers)) input.drained_since = woken;
  drain(control_, input.from_clients);
  if (local_) {
    const auto before = input.from_clients.size();
    drain(*local_, input.from_clients);
    for (size_t i = before; i < input.from_clients.size(); ++i) input.from_clients[i].peer.insert(0, 1, kLocal);
  }
  input.now = clock_.now();
  input.wall = clock_.wall();
  return input;
}

void BrokerLoop::run() {
  Poller poller;
  const auto on_signal = poller.add(signals_.fd());
  poller.add(workers_.socket());
  poller.add(control_.socket());
  if (local_) poller.add(local_->socket());
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
    if (poller.readable(on_answer)) forward_answers();
    if (poller.readable(on_handshake)) answer_handshakes();
    auto output = broker_.turn(gather(woken, late > stall_ ? late : MonoTime::duration{}));
    db_.check_in_place();  // before anybody is told that it is kept
    FAILPOINT("broker.send.before");
    for (const auto& outgoing : output.sends) send(outgoing);
    for (const auto& job : output.reads) reads_.submit(job);
    FAILPOINT("broker.send.after");
    wake = output.wake;
    late = clock_.now() - woken;
    broker_.add_turn_time(late);
  }
  spdlog::info("leaving: running transfers go on and reattach to the next broker");
  for (const auto& outgoing : broker_.farewell()) send(outgoing);
}

void BrokerLoop::forward_answers() {
  while (auto answer = reads_.try_receive()) to_client(answer->peer, answer->frames);
}

void BrokerLoop::to_client(const std::string& peer, const Frames& frames) {
  if (local_ && peer.front() == kLocal) {
    local_->send(peer.substr(1), frames);
  } else {
    control_.send(peer, frames);
  }
}

void BrokerLoop::answer_handshakes() {
  const auto refused = zap_.answer([&](const std::string& key) { return broker_.admits(key); });
  if (refused == 0) return;
  broker_.add_refused(refused);
  spdlog::warn("refused {} connection{}: a key that is not allowed", refused, refused == 1 ? "" : "s");
}

// A peer that is gone or full loses the message: heartbeats, resent requests and repeated tails make up for it.
void BrokerLoop::send(const Outgoing& outgoing) {
  std::visit(Overload{
                 [&](const ToClient& to) { to_client(to.peer, encode_answer(to.message, true)); },
                 [&](const ToWorker& to) { workers_.send(to.peer, encode(to.message)); },
             },
             outgoing);
}

}  // namespace pipekit
