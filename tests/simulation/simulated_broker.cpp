#include "tests/simulation/simulated_broker.h"

#include <stdexcept>
#include <utility>

#include "broker/read_answer.h"
#include "broker/store/migrations.h"
#include "shared/overload.h"

namespace pipekit::simulation {
namespace {

constexpr int kMaxFramesPerTurn = 512;

// True if nothing was left.
bool drain(std::deque<Received>& socket, std::vector<Received>& into) {
  for (int i = 0; i < kMaxFramesPerTurn && !socket.empty(); ++i) {
    into.push_back(std::move(socket.front()));
    socket.pop_front();
  }
  return socket.empty();
}

}  // namespace

SimulatedBroker::SimulatedBroker(World& world, Network& network, Millis lease)
    : world_(world),
      network_(network),
      lease_(lease),
      clock_(world, std::chrono::seconds{world.random.between(0, 1'000'000)}),
      disk_(world.random),
      stalls_(lease) {
  network_.on_receive([this](Side side, Received received) { receive(side, std::move(received)); });
}

SimulatedBroker::~SimulatedBroker() {
  broker_.reset();
  db_.reset();
}

void SimulatedBroker::start() {
  ++process_;
  try {
    db_ = std::make_unique<store::Database>(dir_.file("pipekit.db"), store::Database::Mode::read_write);
    if (const auto made = store::migrate(*db_); !made) throw std::runtime_error(made.error().message);
    // The only random value in the store.
    if (!std::exchange(has_id_, true)) db_->run("UPDATE meta SET value = 'simulated' WHERE key = 'store_id'");
    BrokerConfig config{lease_, "simulated", "simulated"};
    config.read_lag = lease_ / 24;
    broker_ = std::make_unique<Broker>(*db_, config, clock_.now(), clock_.wall());
  } catch (const store::StoreError& error) {
    return fails(error.what());
  }
  world_.note("broker: starts");
  network_.listen(true);
  stalls_ = StallWatch(lease_);
  wake_ = clock_.now();
  stalls_.rests(clock_.now(), wake_);
  if (watch_.after_turn) watch_.after_turn();
  wake();
}

void SimulatedBroker::crash(End how) {
  if (!alive()) return;
  world_.note("broker: {}", how == End::killed ? "killed" : "loses its power");
  ++process_;
  disk_.process_dies();
  broker_.reset();
  db_.reset();
  if (how == End::power_lost) disk_.power_goes();
  network_.listen(false);
  from_workers_.clear();
  from_clients_.clear();
  arrived_.clear();
  checked_.clear();
  held_.clear();
  before_sending_.reset();
  woken_at_.reset();
  stopped_ = busy_ = stands_still_ = false;
}

void SimulatedBroker::fails(const std::string& why) {
  // The directory's name is used by this process only.
  const auto store = why.find(dir_.path().string());
  world_.note("broker: ends: {}", store == std::string::npos ? why : why.substr(why.find(": ", store) + 2));
  world_.count("broker ended by its store");
  const bool power = disk_.dying();
  if (alive()) {
    crash(power ? End::power_lost : End::killed);
  } else {
    disk_.process_dies();
    db_.reset();
    if (power) disk_.power_goes();
  }
  restart_later();
}

void SimulatedBroker::restart_later() {
  world_.after(world_.random.millis(500, 5000), [this, process = process_] {
    if (process == process_ && !alive()) start();
  });
}

void SimulatedBroker::stop() {
  if (!alive()) return;
  world_.note("broker: stopped");
  stopped_ = true;
}

void SimulatedBroker::go_on() {
  if (!std::exchange(stopped_, false)) return;
  world_.note("broker: goes on");
  read_arrived();
  for (auto& what : std::exchange(held_, {})) what();
}

void SimulatedBroker::read_arrived() {
  later(world_.random.millis(0, lease_.count() / 30), [this] {
    if (stands_still_) return;  // again: what ends that comes back here
    for (auto& [side, received] : std::exchange(arrived_, {})) {
      (side == Side::workers ? from_workers_ : from_clients_).push_back(std::move(received));
    }
    wake();
  });
}

void SimulatedBroker::later(MonoTime::duration delay, std::function<void()> what) {
  world_.after(delay, [this, process = process_, what = std::move(what)] {
    if (process != process_) return;
    if (stopped_) {
      held_.push_back([this, process, what] {
        if (process == process_) what();
      });
    } else {
      what();
    }
  });
}

void SimulatedBroker::receive(Side side, Received received) {
  if (stopped_ || stands_still_ || !arrived_.empty()) {
    arrived_.push_back({side, std::move(received)});
    return;
  }
  (side == Side::workers ? from_workers_ : from_clients_).push_back(std::move(received));
  wake();
}

void SimulatedBroker::wake() { wake_at(world_.now()); }

void SimulatedBroker::wake_at(MonoTime when) {
  if (!alive() || busy_ || (woken_at_ && *woken_at_ <= when)) return;
  woken_at_ = when;
  later(when - world_.now(), [this, when] {
    if (busy_ || woken_at_ != when) return;
    woken_at_.reset();
    gather();
  });
}

// The process may be suspended or die at each part of a pass.
void SimulatedBroker::gather() {
  busy_ = true;
  const auto woken = clock_.now();
  const auto stall = stalls_.wakes(woken);
  MonoTime::duration pause = std::chrono::microseconds{world_.random.between(0, 200)};
  if (world_.random.chance(standstills_)) {
    pause = world_.random.millis(1000, 2 * lease_.count());
    stands_still_ = true;
    world_.count("broker stood still");
    world_.note("broker: stands still for {} ms", std::chrono::floor<Millis>(pause).count());
  }
  later(pause, [this, woken, stall] {
    if (std::exchange(stands_still_, false)) read_arrived();
    turn(woken, stall);
  });
}

void SimulatedBroker::turn(MonoTime woken, MonoTime::duration stall) {
  TurnInput input;
  input.stall = stall;
  if (drain(from_workers_, input.from_workers)) input.drained_since = woken;
  drain(from_clients_, input.from_clients);
  input.checked = std::exchange(checked_, {});
  input.now = clock_.now();
  input.wall = clock_.wall();
  if (watch_.before_turn) {
    auto arrived = input.from_workers;
    for (const auto& [side, received] : arrived_) {
      if (side == Side::workers) arrived.push_back(received);
    }
    watch_.before_turn(arrived);
  }
  TurnOutput output;
  try {
    output = broker_->turn(std::move(input));
  } catch (const store::StoreError& error) {
    return fails(error.what());
  } catch (const std::exception& error) {
    return world_.broken(fmt::format("the broker died of a bug: {}", error.what()));
  }
  world_.count("turns");
  if (watch_.after_turn) watch_.after_turn();
  if (before_sending_ && !output.sends.empty()) {
    crash(*before_sending_);
    return restart_later();
  }
  const bool slow = world_.random.chance(2);
  const auto commit = slow ? MonoTime::duration{world_.random.millis(200, 4000)}
                           : MonoTime::duration{std::chrono::microseconds{world_.random.between(100, 4000)}};
  later(commit, [this, output = std::make_shared<TurnOutput>(std::move(output))] {
    deliver(*output);
    wake_ = output->wake;
    stalls_.rests(clock_.now(), wake_);
    busy_ = false;
    if (!from_workers_.empty() || !from_clients_.empty() || !checked_.empty()) return wake();
    if (wake_) wake_at(std::max(clock_.in_world(*wake_), world_.now()));
  });
}

void SimulatedBroker::deliver(const TurnOutput& output) {
  for (const auto& outgoing : output.sends) send(outgoing);
  for (const auto& job : output.reads) answer(job);
}

void SimulatedBroker::send(const Outgoing& outgoing) {
  std::visit(Overload{
                 [&](const ToClient& to) { network_.send(Side::clients, to.peer, encode(to.message)); },
                 [&](const ToWorker& to) { network_.send(Side::workers, to.peer, encode(to.message)); },
             },
             outgoing);
}

// What the read thread does: some time after the commit, from the same store.
void SimulatedBroker::answer(const ReadJob& job) {
  later(std::chrono::microseconds{world_.random.between(100, 5000)}, [this, job] {
    auto outcome = answer_read(*db_, job);
    if (auto* checked = std::get_if<std::unique_ptr<CheckedDocument>>(&outcome)) {
      checked_.push_back(std::move(*checked));
      return wake();
    }
    const auto peer = job.id == 0 ? std::optional(job.peer) : broker_->end_read(job.id);
    if (peer) network_.send(Side::clients, *peer, encode(std::get<BrokerToClient>(outcome)));
  });
}

}  // namespace pipekit::simulation
