#include "tests/simulation/faults.h"

namespace pipekit::simulation {

using std::chrono::seconds;

void Faults::begin(int64_t badness, MonoTime until) {
  badness_ = badness;
  until_ = until;
  if (badness == 0) return;
  auto& random = world_.random;
  // Worlds differ: in most of them a given fault is rare or absent, in some it happens all the time.
  const auto up_to = [&](int64_t most) {
    const auto how = random.between(0, 99);
    if (how < 40) return int64_t{0};
    return random.between(0, how < 85 ? most : 8 * most) * badness / 1000;
  };
  network_.weather = {up_to(30), up_to(20), up_to(5)};
  const std::vector<int64_t> paces = {1, 1, 3, 10, 30};
  const auto aim = up_to(60);
  for (auto& [name, server] : destinations_) {
    server->moods = {up_to(60), up_to(60), up_to(15), up_to(80), 500, up_to(100), random.pick(paces)};
    server->on_begin([this, aim](RunKey key, bool merges) {
      if (world_.random.chance(merges ? aim : aim / 10)) strike_attempt(key);
    });
  }
  const auto late = up_to(40);
  for (const auto& worker : workers_) {
    worker->on_assignment([this, late, &worker] {
      if (!healed_ && world_.random.chance(late)) strike_assigned(*worker);
    });
    worker->on_refusal([this, &wire = worker->wire()] {
      if (!healed_ && world_.random.chance(badness_)) wire.break_connection();
    });
  }
  broker_.stand_still(up_to(4));
  next();
}

void Faults::next() {
  // 1000 means about one every five seconds.
  world_.after(world_.random.millis(1, 10'000 * 1000 / badness_), [this] {
    if (healed_ || world_.now() >= until_) return;
    strike();
    next();
  });
}

void Faults::later(MonoTime::duration delay, std::function<void()> what) {
  world_.after(delay, [this, what = std::move(what)] {
    if (!healed_) what();
  });
}

void Faults::strike() {
  auto& random = world_.random;
  const auto which = random.between(0, 99);
  if (which < 15) return strike_broker();
  if (which < 55) return strike_worker(*random.pick(workers_));
  if (which < 80) return strike_wire(random.pick(workers_)->wire());
  if (which < 85) return strike_wire(random.pick(tails_)->wire());
  if (which < 92) return set_clock(random.chance(500) ? broker_.clock() : random.pick(workers_)->clock());
  auto server = destinations_.begin();
  std::advance(server, random.between(0, static_cast<int64_t>(destinations_.size()) - 1));
  world_.count("servers restarted");
  server->second->restart();
}

void Faults::strike_broker() {
  if (!broker_.alive()) return;
  auto& random = world_.random;
  const auto down = random.chance(200) ? random.millis(20'000, 120'000) : random.millis(200, 10'000);
  const auto restart = [this, down] {
    later(down, [this] {
      if (!broker_.alive()) broker_.start();
    });
  };
  if (random.chance(200)) set_clock(broker_.clock());  // a host that boots with a wrong clock
  switch (random.between(0, 7)) {
    case 0:
      world_.count("broker killed");
      broker_.crash(SimulatedBroker::End::killed);
      return restart();
    case 1:
      world_.count("broker lost its power");
      broker_.crash(SimulatedBroker::End::power_lost);
      return restart();
    case 2:
      world_.count("broker stopped");
      broker_.stop();
      return later(random.chance(300) ? random.millis(20'000, 150'000) : down, [this] { broker_.go_on(); });
    case 3:
      world_.count("disk full");
      world_.note("broker: the disk is full");
      broker_.disk().set_full(true);
      return later(down, [this] { broker_.disk().set_full(false); });
    case 4:
      world_.count("sync failed");
      return broker_.disk().fail_next_sync();
    case 5:
    case 6:
      world_.count("broker killed before sending");
      return broker_.crash_before_sending(random.chance(500) ? SimulatedBroker::End::killed
                                                             : SimulatedBroker::End::power_lost);
    default:
      world_.count("power lost while writing");
      return broker_.disk().die_at_write(random.between(1, 12));
  }
}

void Faults::strike_worker(SimulatedWorker& worker) {
  auto& random = world_.random;
  const auto back = [this, &worker](Millis after) {
    later(after, [this, &worker] {
      if (!worker.alive()) worker.start(world_.random.chance(800));
    });
  };
  const auto pause = random.chance(200) ? random.millis(10'000, 100'000) : random.millis(100, 10'000);
  if (!worker.alive()) return;
  switch (random.between(0, 4)) {
    case 0:
    case 1:
      world_.count("worker killed");
      worker.kill();
      return back(pause);
    case 2:
    case 3:
      world_.count("worker stopped");
      worker.stop();
      return later(random.chance(500) ? random.millis(15'000, 150'000) : pause, [&worker] { worker.go_on(); });
    default:
      world_.count("worker drained");
      worker.drain();
      // It leaves when it has nothing left to do, but the service manager does not wait for ever.
      return later(random.millis(30'000, 120'000), [this, &worker, back] {
        worker.kill();
        back(world_.random.millis(100, 5000));
      });
  }
}

void Faults::strike_attempt(RunKey key) {
  auto& random = world_.random;
  later(random.millis(0, random.chance(500) ? 30 : 3000), [this, key] {
    for (const auto& worker : workers_) {
      if (!worker->executes(key)) continue;
      if (world_.random.chance(300)) return strike_wire(worker->wire());
      return strike_worker(*worker);
    }
  });
}

// Suspended for about the lease of the assignment that it would read next.
void Faults::strike_assigned(SimulatedWorker& worker) {
  world_.count("worker stopped");
  worker.stop();
  later(broker_.lease() * world_.random.between(800, 1050) / 1000, [&worker] { worker.go_on(); });
}

void Faults::strike_wire(Wire& wire) {
  auto& random = world_.random;
  if (random.chance(400)) {
    world_.count("connections broken");
    return wire.break_connection();
  }
  world_.count("partitions");
  const auto which = random.between(0, 2);
  wire.cut(which != 0, which != 1);
  const bool breaks = random.chance(500);
  later(random.chance(400) ? random.millis(20'000, 150'000) : random.millis(500, 20'000), [&wire, breaks] {
    if (breaks) wire.break_connection();
    wire.heal();
  });
}

void Faults::set_clock(HostClock& clock) {
  auto& random = world_.random;
  world_.count("clocks set");
  const auto by = random.chance(300) ? random.millis(-3'600'000, 3'600'000) : random.millis(-90'000, 90'000);
  world_.note("{} wall clock is set by {} ms", &clock == &broker_.clock() ? "the broker's" : "a worker's", by.count());
  clock.jump(by);
}

void Faults::heal() {
  healed_ = true;
  network_.weather = {};
  network_.settle();
  for (auto& [name, server] : destinations_) {
    server->moods = {};
    server->on_begin(nullptr);
  }
  broker_.stand_still(0);
  broker_.crash_before_sending(std::nullopt);
  broker_.disk().set_full(false);
  if (broker_.disk().dying()) broker_.crash(SimulatedBroker::End::power_lost);
  broker_.go_on();
  if (!broker_.alive()) broker_.start();
  for (const auto& worker : workers_) {
    worker->go_on();
    worker->wire().heal();
    if (worker->draining()) worker->kill();
    if (!worker->alive()) worker->start(true);
  }
  for (const auto& tail : tails_) tail->wire().heal();
}

}  // namespace pipekit::simulation
