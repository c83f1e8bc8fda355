// The control protocol spoken by a test: requests with their replies, and the event log as it grows. Every wait has a
// deadline and throws std::runtime_error with what was missing. A broker that was killed meanwhile is asked again on a
// new socket, as a client has to. One thread each.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "shared/channel.h"
#include "shared/clock.h"

namespace pipekit::test {

class TestClient {
 public:
  explicit TestClient(std::string endpoint, Millis deadline = Millis{20'000});

  // The reply, refusals included. Sent again with the same number until it comes.
  Reply exchange(const std::string& verb, Json args = Json::object());
  // The body; a refusal throws.
  Json ask(const std::string& verb, Json args = Json::object());
  // Submits a run and answers its id.
  int64_t run(const std::string& module, Json more = Json::object());

  // The parts of an exchange, for replies that get lost: any number may be sent, any number of times.
  void send(int64_t number, const std::string& verb, const Json& args);
  Reply receive(int64_t number);
  // For one that is not to come, as far as so short a time can show.
  bool hears(int64_t number, Millis within) { return receive_until(number, clock_.now() + within).has_value(); }
  [[nodiscard]] int64_t next_number() { return ++number_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  // The same client after its process has died: what it did not hear is gone.
  void reconnect();

 private:
  std::optional<Reply> receive_until(int64_t number, MonoTime deadline);

  std::string endpoint_;
  Millis deadline_;
  SystemClock clock_;
  zmq::context_t context_;
  std::unique_ptr<DealerSocket> socket_;
  std::string id_;
  int64_t number_ = 0;
};

// One line of the event log as `events tail` shows it; a log line is an event of kind run.log.
struct LoggedEvent {
  int64_t seq = 0;
  std::string kind;
  int64_t run = 0;
  std::string module;
  std::string worker;
  Json fields = Json::object();
  bool operator==(const LoggedEvent&) const = default;
};

// A tail from the first event on. It checks as it reads that numbers rise by one (an elided range counts as its
// numbers), so a gap or a duplicate ends the test.
class EventLog {
 public:
  using Predicate = std::function<bool(const LoggedEvent&)>;

  // From the first event after number `after` on.
  explicit EventLog(std::string endpoint, int64_t after = 0, Millis deadline = Millis{20'000});
  // The broker was restarted: what was parked there is gone.
  void reconnect() { asked_ = false; }

  // The first event that matches, of those after `after`: already seen, or still to come.
  const LoggedEvent& wait_for(const std::string& what, const Predicate& matches, int64_t after = 0);
  const LoggedEvent& wait_for_kind(const std::string& kind, int64_t run, int64_t after = 0);
  const LoggedEvent& wait_for_step(int64_t run, const std::string& step, int64_t after = 0);
  const LoggedEvent& wait_for_finish(int64_t run) { return wait_for_kind("run.finished", run); }
  // Everything committed when this is called, and the number of the last.
  int64_t catch_up();

  [[nodiscard]] const std::vector<LoggedEvent>& seen() const { return seen_; }
  // The last events as text, for what a failed test says.
  [[nodiscard]] std::string last_words() const;
  // 0: none.
  [[nodiscard]] int64_t last_seq() const { return next_; }
  [[nodiscard]] std::vector<LoggedEvent> of_run(int64_t run, const std::string& kind = "") const;

 private:
  void ask();
  bool receive(MonoTime deadline);
  void take(const TailReply& reply);

  std::string endpoint_;
  Millis deadline_;
  SystemClock clock_;
  zmq::context_t context_;
  std::unique_ptr<DealerSocket> socket_;
  int64_t number_ = 0;
  int64_t next_ = 0;
  int64_t last_ = 0;
  bool asked_ = false;
  std::vector<LoggedEvent> seen_;
};

}  // namespace pipekit::test
