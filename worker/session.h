// The worker's side of the conversation with the broker. Pure: messages and times in, actions out. It decides when to
// send a hello or a heartbeat, how long each attempt may continue, and what a silent broker means. The loop carries out
// the actions; the simulation drives the same code.
//
// Leases count from when the heartbeat that was answered was *sent*, so that this side always ends before the broker
// gives the run to somebody else. All times are CLOCK_BOOTTIME: after a suspended host wakes up its leases have ended.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/clock.h"
#include "shared/planted_fault.h"
#include "shared/protocol.h"

namespace pipekit::worker {

struct Identity {
  std::string name;
  std::string incarnation;
  std::string state_id;
  std::string host;
  int64_t slots = 4;
  std::vector<std::string> tags;
  std::vector<std::string> drivers{};  // that the runner has; empty: any
};

// What the loop is to do, in this order.
struct Actions {
  bool replace_socket = false;  // the old one and what is queued in it are dropped
  std::vector<WorkerToBroker> send;
  bool resend_facts = false;  // the broker is back: everything it has not acknowledged
  std::vector<RunKey> kill;   // end the processes at once; the executor's last fact is still wanted
  std::vector<RunKey> cancel;
  std::vector<FactAck> acknowledged;
  std::vector<Assignment> start;
  std::vector<Task> tasks;
  std::vector<int64_t> drop;     // tasks that no client waits for any more
  std::optional<Error> fatal;    // the broker will never accept this worker
  std::optional<Error> not_yet;  // the broker does not accept it now: it will try again
};

class Session {
 public:
  explicit Session(Identity identity) : identity_(std::move(identity)) {}

  Actions begin(MonoTime now);  // the first hello
  Actions on_message(const BrokerToWorker& message, MonoTime now);
  Actions tick(MonoTime now);
  [[nodiscard]] MonoTime next_deadline() const;

  // Connected again. It may be to another broker process, which asks for a hello when it gets a message.
  Actions reconnected(MonoTime now);
  // No new runs from now on: assignments are refused.
  Actions drain(MonoTime now);
  // The final fact of the attempt is acknowledged: it is no longer listed.
  void over(RunKey key) { attempts_.erase(key); }
  // Asked before every child is started.
  [[nodiscard]] bool may_go_on(RunKey key, MonoTime now) const;

  [[nodiscard]] bool connected() const { return state_ == State::welcomed; }
  [[nodiscard]] bool idle() const { return attempts_.empty(); }

 private:
  enum class State { greeting, welcomed, waiting };  // waiting: the name is in use, for now
  struct Attempt {
    MonoTime lease_end{};
    int64_t listed_from = 0;  // the first heartbeat that names it
    bool killed = false;
  };

  void say_hello(Actions& actions, MonoTime now, bool new_socket);
  void beat(Actions& actions, MonoTime now);
  [[nodiscard]] std::vector<RunKey> listing() const;
  [[nodiscard]] Epoch highest_assignment() const {
    return PLANTED("hello_without_assignment_number") ? Epoch{} : last_assignment_;
  }
  void on(Actions& actions, const Welcome& welcome, MonoTime now);
  void on(Actions& actions, const HelloRefused& refused, MonoTime now);
  void on(Actions& actions, const HelloWanted&, MonoTime now);
  void on(Actions& actions, const HeartbeatAck& ack, MonoTime now);
  void on(Actions& actions, const FactAck& ack, MonoTime now);
  void on(Actions& actions, const Assignment& assignment, MonoTime now);
  void on(Actions& actions, const CancelAttempt& cancel, MonoTime now);
  void on(Actions& actions, const KillAttempt& kill, MonoTime now);
  void on(Actions& actions, const Task& task, MonoTime now);
  void on(Actions& actions, const DropTask& drop, MonoTime now);
  void on(Actions& actions, const BrokerLeaving&, MonoTime now);
  void refuse(Actions& actions, const Assignment& assignment, const std::string& why, MonoTime now);
  // Processes need a moment to die: they are killed this long before the lease ends.
  [[nodiscard]] MonoTime::duration margin() const { return PLANTED("lease_margin_negative") ? -lease_ : lease_ / 10; }

  Identity identity_;
  State state_ = State::greeting;
  Millis lease_{60'000};
  Millis interval_{10'000};
  bool draining_ = false;
  MonoTime hello_again_{};
  MonoTime next_beat_{};
  int64_t beats_ = 0;                       // the last heartbeat sent
  std::map<int64_t, MonoTime> unanswered_;  // heartbeat -> when sent; kept until a later one is answered
  std::map<int64_t, MonoTime> answered_;    // the last few, for assignments that name them
  Epoch last_assignment_;
  std::map<RunKey, Attempt> attempts_;
};

}  // namespace pipekit::worker
