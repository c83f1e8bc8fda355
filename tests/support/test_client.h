// A test's client of the control protocol: requests with their replies, and the event log as it grows. Every wait has a
// deadline and throws std::runtime_error with what was missing. If the broker was killed in the meantime, the request
// is sent again on a new socket, as every client must do. One thread each.
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

  // The reply, including refusals. The request is sent again with the same number until the reply arrives.
  Reply exchange(const std::string& verb, Json args = Json::object());
  // The body; a refusal throws.
  Json ask(const std::string& verb, Json args = Json::object());
  // Submits a run and returns its ID.
  int64_t run(const std::string& module, Json more = Json::object());

  // The parts of an exchange, for lost replies: any number may be sent, any number of times.
  void send(int64_t number, const std::string& verb, const Json& args);
  Reply receive(int64_t number);
  // Expects no reply, as far as such a short time can show.
  bool hears(int64_t number, Millis within) { return receive_until(number, clock_.now() + within).has_value(); }
  [[nodiscard]] int64_t next_number() { return ++number_; }
  [[nodiscard]] const std::string& id() const { return id_; }
  // The same client after its process has died: unread replies are lost.
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

// A line of the event log as `events tail` shows it; a log line is an event of kind run.log.
struct LoggedEvent {
  int64_t seq = 0;
  std::string kind;
  int64_t run = 0;
  std::string module;
  std::string worker;
  Json fields = Json::object();
  bool operator==(const LoggedEvent&) const = default;
};

// A tail from the first event on. While reading it checks that numbers increase by one (an elided range counts as its
// numbers), so a gap or a duplicate ends the test.
class EventLog {
 public:
  using Predicate = std::function<bool(const LoggedEvent&)>;

  // Starts with the first event after number `after`.
  explicit EventLog(std::string endpoint, int64_t after = 0, Millis deadline = Millis{20'000});
  // The broker was restarted: the parked request is gone.
  void reconnect() { asked_ = false; }

  // The first matching event after `after`, already seen or not.
  const LoggedEvent& wait_for(const std::string& what, const Predicate& matches, int64_t after = 0);
  const LoggedEvent& wait_for_kind(const std::string& kind, int64_t run, int64_t after = 0);
  const LoggedEvent& wait_for_step(int64_t run, const std::string& step, int64_t after = 0);
  const LoggedEvent& wait_for_finish(int64_t run) { return wait_for_kind("run.finished", run); }
  // Reads everything that is committed when this is called, and returns the number of the last event.
  int64_t catch_up();

  [[nodiscard]] const std::vector<LoggedEvent>& seen() const { return seen_; }
  // The last events as text, for the message of a failed test.
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
