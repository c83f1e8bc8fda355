// A broker with a real store, on a clock that advances only when the test says so. Tests read like a dialogue: a worker
// or a client sends something, which is one turn, and the answers are there immediately.
#pragma once

#include <memory>

#include "broker/broker.h"
#include "tests/support/temp_dir.h"

namespace pipekit::test {

class Dialogue;

// It sends by itself what worker/session.h sends, but makes no decisions.
class FakeWorker {
 public:
  FakeWorker(Dialogue& dialogue, std::string name, std::string incarnation = "i1", std::string state_id = "");

  // Sends hello and the first heartbeat, on a new socket.
  void join();
  void hello();
  void beat();
  void say(const WorkerToBroker& message);
  // Sends the attempt's next fact.
  void tell(RunKey key, FactBody body);
  void tell(RunKey key, int64_t seq, FactBody body);
  void begin(RunKey key) { tell(key, fact::Started{}); }
  void merge(RunKey key) { tell(key, fact::Merging{}); }
  // Sends its final fact; the attempt is no longer listed.
  void finish(RunKey key, const std::string& status, const std::string& outcome = "none", const std::string& code = "");

  // The messages received since the last call, as words: "welcome", "assign 1/2" (run/epoch), "ack 1/2 #3", ...
  std::vector<std::string> heard();
  // The last assignment; also removed from the received messages.
  [[nodiscard]] const Assignment& assignment() const { return assignments_.at(assignments_.size() - 1); }
  [[nodiscard]] const Assignment& assignment(size_t index) const { return assignments_.at(index); }
  [[nodiscard]] size_t assignments() const { return assignments_.size(); }
  // Takes the newest assignment: it is listed from now on.
  RunKey take();
  void hear(const BrokerToWorker& message);

  std::string peer;
  std::string name;
  std::string incarnation;
  std::string state_id;
  std::string public_key;  // proved by its socket
  int64_t slots = 4;
  bool draining = false;
  std::vector<std::string> tags;
  std::vector<std::string> drivers;
  ProtocolVersions protocol = spoken_versions();
  Epoch last_assignment;
  std::vector<RunKey> listed;
  int64_t task = 0;     // the last one received
  std::string refusal;  // the last one's message

 private:
  Dialogue* dialogue_;
  int64_t beats_ = 0;
  std::map<RunKey, int64_t> seq_;
  std::vector<std::string> heard_;
  std::vector<Assignment> assignments_;
};

class Dialogue {
 public:
  static constexpr Millis kLease{60'000};

  explicit Dialogue(const Json& document);

  // A new process with the same store; it knows no sockets.
  void restart();
  void pass(Millis time) {
    now += time;
    wall += time;
  }
  // A turn without messages; `drained`: the worker socket was read until it was empty.
  TurnOutput turn(TurnInput input = {}, bool drained = true);
  // Lets time pass, and the broker notice.
  void wait(Millis time) {
    pass(time);
    turn();
  }

  Reply ask(const std::string& verb, const Json& args);
  Reply ask(Request request);
  Json done(const std::string& verb, const Json& args);            // the body; a refusal fails the test
  std::string refused(const std::string& verb, const Json& args);  // the code
  RunId run(const std::string& module);
  std::vector<TailReply> tail(const TailRequest& request);

  void from_worker(FakeWorker& worker, const WorkerToBroker& message);
  std::string new_peer() { return "peer " + std::to_string(++peers_); }
  void connect(FakeWorker& worker) { workers_[worker.peer] = &worker; }

  [[nodiscard]] std::string status(RunId run) {
    return db->value<std::string>("SELECT status FROM run_log WHERE id = ?", run).value_or("");
  }
  // "error worker_lost"
  std::string end_of(RunId run);
  // Kinds of the events after `after`, with the run; checks that the numbers have no gap.
  std::vector<std::string> events(int64_t after = 0);
  template <class... Args>
  int64_t count(std::string_view sql, const Args&... args) {
    return db->value<int64_t>(sql, args...).value_or(-1);
  }

  TempDir dir{memory_directory()};
  std::unique_ptr<store::Database> db;
  std::unique_ptr<Broker> broker;
  MonoTime now{std::chrono::hours{1}};
  WallTime wall = from_ms(1'772'330'400'000);
  std::string client_key;  // of the requesting client; empty for a local one
  // Done once, between the check of a document on the read thread and the turn that writes it.
  std::function<void()> before_writing;
  std::vector<Reply> replies;
  std::vector<TailReply> tails;

 private:
  void open();
  int64_t requests_ = 0;
  int64_t peers_ = 0;
  std::map<std::string, FakeWorker*> workers_;
};

// Connections "erp" and "wh" (sqlite), and the given modules: [{name, ...fields that differ}].
Json document_of(const Json& modules, const Json& groups = Json::array());

}  // namespace pipekit::test
