// A broker with a real store and a time that stands still until it is told to go on. Tests read as a dialogue: a worker
// or a client says something, which is one turn, and what it hears is there at once.
#pragma once

#include <memory>

#include "broker/broker.h"
#include "tests/support/temp_dir.h"

namespace pipekit::test {

class Dialogue;

// What a worker does of its own accord is what worker/session.h does, without its judgement.
class FakeWorker {
 public:
  FakeWorker(Dialogue& dialogue, std::string name, std::string incarnation = "i1", std::string state_id = "");

  // Hello and the first heartbeat, on a new socket.
  void join();
  void hello();
  void beat();
  void say(const WorkerToBroker& message);
  // The attempt's next fact.
  void tell(RunKey key, FactBody body);
  void tell(RunKey key, int64_t seq, FactBody body);
  void begin(RunKey key) { tell(key, fact::Started{}); }
  void merge(RunKey key) { tell(key, fact::Merging{}); }
  // Its final fact; listed no more.
  void finish(RunKey key, const std::string& status, const std::string& outcome = "none", const std::string& code = "");

  // What it has heard since it was asked last, in words: "welcome", "assign 1/2" (run/epoch), "ack 1/2 #3", ...
  std::vector<std::string> heard();
  // The last assignment; also taken off what was heard.
  [[nodiscard]] const Assignment& assignment() const { return assignments_.at(assignments_.size() - 1); }
  [[nodiscard]] size_t assignments() const { return assignments_.size(); }
  // The newest assignment as one that has arrived: it is listed from now on.
  RunKey take();
  void hear(const BrokerToWorker& message);

  std::string peer;
  std::string name;
  std::string incarnation;
  std::string state_id;
  std::string public_key;  // that its socket has proven
  int64_t slots = 4;
  bool draining = false;
  std::vector<std::string> tags;
  std::vector<std::string> drivers;
  ProtocolVersions protocol = spoken_versions();
  Epoch last_assignment;
  std::vector<RunKey> listed;
  int64_t task = 0;     // the last one heard
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

  // A new process on the same store; no socket is known to it.
  void restart();
  void pass(Millis time) {
    now += time;
    wall += time;
  }
  // A turn with nothing said; `drained`: the workers' socket was read until it was empty.
  TurnOutput turn(TurnInput input = {}, bool drained = true);
  // Lets time pass and the broker notice.
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
  std::string client_key;  // of the client that asks; empty: local
  std::vector<Reply> replies;
  std::vector<TailReply> tails;

 private:
  void open();
  int64_t requests_ = 0;
  int64_t peers_ = 0;
  std::map<std::string, FakeWorker*> workers_;
};

// Connections "erp" and "wh" (sqlite), and modules as told: [{name, ...fields that differ}].
Json document_of(const Json& modules, const Json& groups = Json::array());

}  // namespace pipekit::test
