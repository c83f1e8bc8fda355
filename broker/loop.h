// The broker's one thread of decisions: sockets, signals and the clock around Broker::turn().
#pragma once

#include <filesystem>

#include "broker/broker.h"
#include "broker/connections.h"
#include "broker/entrance.h"
#include "broker/read_thread.h"
#include "broker/zap.h"
#include "shared/clock_set_fd.h"
#include "shared/poller.h"
#include "shared/signals.h"

namespace pipekit {

class BrokerLoop {
 public:
  // Binds both endpoints; throws EndpointError when one cannot be bound, RefusedError when it must not be.
  BrokerLoop(store::Database& db, const BrokerConfig& config, SignalFd& signals);

  // Runs until a signal. Throws faults that end the broker.
  void run();

 private:
  // Until the turn has its transaction; false: a signal arrived first.
  bool begin_turn();
  TurnInput gather(MonoTime woken, MonoTime::duration stall);
  void send(const Outgoing& outgoing);
  void forward_answers(std::vector<std::unique_ptr<CheckedDocument>>& checked);
  void beat(const ToClient& beat);
  void answer_handshakes();
  void count_strangers();
  void report_refused_connections();

  // Strangers may try without end; the log has a line about them every ten seconds at most.
  struct Untold {
    int64_t refused = 0;
    std::optional<MonoTime> told{};
  };
  void refused(int64_t handshakes, Untold& untold, const char* why);

  const store::Database& db_;
  SystemClock clock_;
  ClockSetFd clock_set_;
  SignalFd& signals_;
  const Millis lease_;
  Connections connections_;  // destroyed after ZeroMQ's thread has ended
  zmq::context_t context_;
  ZapSocket zap_;  // before the sockets for which it answers
  Entrance control_;
  Entrance workers_;
  ReadThread reads_;
  Broker broker_;
  Untold untold_keys_;
  Untold untold_strangers_;
  std::optional<MonoTime> told_connections_;
  std::map<std::string, int64_t> refused_connections_;
};

}  // namespace pipekit
