// The broker's process: the real Broker with the real store, and the work of broker/loop.cpp, on simulated sockets,
// clock and disk. It can be killed, lose power, be suspended for a while, and have a disk that is full or lies. When it
// ends, it is restarted, as by a service manager.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "broker/broker.h"
#include "broker/stall_watch.h"
#include "tests/simulation/disk.h"
#include "tests/simulation/network.h"
#include "tests/support/temp_dir.h"

namespace pipekit::simulation {

class SimulatedBroker {
 public:
  // Called before each turn, with the frames it will read; after each committed turn, before its answers are sent; and
  // after each start.
  struct Watch {
    // Also what has arrived from workers and is not read yet.
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
  // The chance, in a thousand, that it stalls between waking up and reading: a host that sleeps or swaps.
  void stand_still(int64_t chance) { standstills_ = chance; }
  // Once it has committed something and has answers to send.
  void crash_before_sending(std::optional<End> how) { before_sending_ = how; }
  void stop();  // SIGSTOP
  void go_on();

  [[nodiscard]] bool alive() const { return broker_ != nullptr; }
  // Alive, and everything that has arrived has been handled.
  [[nodiscard]] bool idle() const {
    return alive() && !busy_ && from_workers_.empty() && from_clients_.empty() && arrived_.empty() && checked_.empty();
  }
  [[nodiscard]] Millis lease() const { return lease_; }
  // Of the current process.
  [[nodiscard]] store::Database& db() { return *db_; }
  [[nodiscard]] Disk& disk() { return disk_; }
  [[nodiscard]] HostClock& clock() { return clock_; }

 private:
  void receive(Side side, Received received);
  // ZeroMQ's thread reads what has arrived while the process was paused: some time after it is resumed.
  void read_arrived();
  void wake_at(MonoTime when);
  void wake();
  void gather();
  void turn(MonoTime woken, MonoTime::duration stall);
  void deliver(const TurnOutput& output);
  void send(const Outgoing& outgoing);
  void answer(const ReadJob& job);
  void fails(const std::string& why);
  void restart_later();
  // Runs work of this process, unless the process is dead by then; waits while it is suspended.
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
  std::deque<std::function<void()>> held_;  // work that falls due while it is suspended
  std::deque<Received> from_workers_;
  std::deque<Received> from_clients_;
  struct Arrived {
    Side side;
    Received received;
  };
  std::deque<Arrived> arrived_;  // while the process is paused, and until it is read
  bool stands_still_ = false;    // between waking up and reading
  StallWatch stalls_;
  std::vector<std::unique_ptr<CheckedDocument>> checked_;
  std::optional<MonoTime> wake_;      // the last turn's next wake-up, by the broker's clock
  std::optional<MonoTime> woken_at_;  // when it will be woken
};

}  // namespace pipekit::simulation
