// The broker's process: the shipped Broker on the shipped store, with what broker/loop.cpp does around them, over
// simulated sockets, clock and disk. It can be killed, lose its power, be stopped for a while, and have a disk that is
// full or lies; what ends it is followed by a restart, as by a service manager.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/broker.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/network.h"
#include "tests/support/temp_dir.h"

namespace pipekit::simulation {

class SimulatedBroker {
 public:
  // Before each turn, with what it will read; after each one that was committed, before anything of it is sent; and
  // after each start.
  struct Watch {
    std::function<void(const std::vector<Received>& from_workers)> before_turn;
    std::function<void()> after_turn;
  };

  SimulatedBroker(World& world, Network& network, Millis lease);
  ~SimulatedBroker();
  SimulatedBroker(const SimulatedBroker&) = delete;
  SimulatedBroker& operator=(const SimulatedBroker&) = delete;

  void watch(Watch watch) { watch_ = std::move(watch); }
  void start();
  enum class End { killed, power_lost };
  void crash(End how);
  // The chance, in a thousand, that it stands still between waking up and reading: a host that sleeps or swaps.
  void stand_still(int64_t chance) { standstills_ = chance; }
  // Once it has committed something that somebody is to be told.
  void crash_before_sending(std::optional<End> how) { before_sending_ = how; }
  void stop();  // SIGSTOP
  void go_on();

  [[nodiscard]] bool alive() const { return broker_ != nullptr; }
  // Alive, and everything that has arrived is dealt with.
  [[nodiscard]] bool idle() const { return alive() && !busy_ && from_workers_.empty() && from_clients_.empty(); }
  [[nodiscard]] Millis lease() const { return lease_; }
  // Of the live process.
  [[nodiscard]] store::Database& db() { return *db_; }
  [[nodiscard]] Disk& disk() { return disk_; }
  [[nodiscard]] HostClock& clock() { return clock_; }

 private:
  void receive(Side side, Received received);
  void wake_at(MonoTime when);
  void wake();
  void gather();
  void turn(MonoTime woken);
  void deliver(const TurnOutput& output);
  void send(const Outgoing& outgoing);
  void answer(const ReadJob& job);
  void fails(const std::string& why);
  void restart_later();
  // Runs what belongs to this process, unless it is dead by then; waits while it is stopped.
  void later(MonoTime::duration delay, std::function<void()> what);

  World& world_;
  Network& network_;
  Millis lease_;
  HostClock clock_;
  Disk disk_;
  test::TempDir dir_{test::memory_directory()};
  std::unique_ptr<store::Database> db_;
  std::unique_ptr<Broker> broker_;
  Watch watch_;
  int64_t standstills_ = 0;
  std::optional<End> before_sending_;
  int64_t process_ = 0;
  bool has_id_ = false;
  bool stopped_ = false;
  bool busy_ = false;                       // between waking up and waiting again
  std::deque<std::function<void()>> held_;  // what falls due while it is stopped
  std::deque<Received> from_workers_;
  std::deque<Received> from_clients_;
  std::optional<MonoTime> wake_;      // what the last turn asked for, by the broker's clock
  std::optional<MonoTime> woken_at_;  // when it will be woken
  MonoTime::duration late_{};
};

}  // namespace pipekit::simulation
