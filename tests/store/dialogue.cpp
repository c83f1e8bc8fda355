#include "tests/store/dialogue.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "broker/read_answer.h"
#include "broker/store/migrations.h"
#include "shared/codec.h"

namespace pipekit::test {
namespace {

std::string words(RunKey key) { return fmt::format("{}/{}", key.run.value, key.epoch.value); }

struct Tell {
  std::string operator()(const Welcome&) const { return "welcome"; }
  std::string operator()(const HelloRefused& m) const { return "refused " + m.error.code; }
  std::string operator()(const HelloWanted&) const { return "hello wanted"; }
  std::string operator()(const HeartbeatAck&) const { return ""; }
  std::string operator()(const FactAck& m) const { return fmt::format("ack {} #{}", words(m.key), m.seq); }
  std::string operator()(const Assignment& m) const {
    return fmt::format("{} {}", m.reconcile ? "ask" : "assign", words(m.key));
  }
  std::string operator()(const CancelAttempt& m) const { return "cancel " + words(m.key); }
  std::string operator()(const KillAttempt& m) const { return "kill " + words(m.key); }
  std::string operator()(const Task& m) const { return "task " + m.kind; }
  std::string operator()(const BrokerLeaving&) const { return "leaving"; }
  std::string operator()(const DropTask&) const { return "drop task"; }
};

}  // namespace

FakeWorker::FakeWorker(Dialogue& dialogue, std::string its_name, std::string its_incarnation, std::string its_state_id)
    : name(std::move(its_name)),
      incarnation(std::move(its_incarnation)),
      state_id(std::move(its_state_id)),
      dialogue_(&dialogue) {}

void FakeWorker::join() {
  hello();
  beat();
}

void FakeWorker::hello() {
  peer = dialogue_->new_peer();
  dialogue_->connect(*this);
  say(Hello{name, incarnation, state_id, "0", "host", slots, draining, tags, last_assignment, listed, protocol,
            drivers});
}

void FakeWorker::beat() { say(Heartbeat{++beats_, draining, last_assignment, listed}); }
void FakeWorker::say(const WorkerToBroker& message) { dialogue_->from_worker(*this, message); }
void FakeWorker::tell(RunKey key, FactBody body) { tell(key, ++seq_[key], std::move(body)); }
void FakeWorker::tell(RunKey key, int64_t seq, FactBody body) { say(Fact{key, seq, std::move(body)}); }

void FakeWorker::finish(RunKey key, const std::string& status, const std::string& outcome, const std::string& code) {
  fact::Finished finished;
  finished.status = status;
  finished.outcome = outcome;
  if (!code.empty()) finished.error = WireError{code, code + " happened", ""};
  if (status == "success") finished.row_count = 42;
  finished.resolved_source_sql = fmt::format("SELECT of {}", key.epoch.value);
  tell(key, std::move(finished));
  std::erase(listed, key);
}

void FakeWorker::hear(const BrokerToWorker& message) {
  if (auto text = std::visit(Tell{}, message); !text.empty()) heard_.push_back(std::move(text));
  if (const auto* assignment = std::get_if<Assignment>(&message)) assignments_.push_back(*assignment);
  if (const auto* task_of_it = std::get_if<Task>(&message)) task = task_of_it->id;
  if (const auto* refused = std::get_if<HelloRefused>(&message)) refusal = refused->error.message;
}

std::vector<std::string> FakeWorker::heard() { return std::exchange(heard_, {}); }

RunKey FakeWorker::take() {
  const auto key = assignment().key;
  last_assignment = std::max(last_assignment, key.epoch);
  listed.push_back(key);
  heard_.clear();
  return key;
}

Dialogue::Dialogue(const Json& document) {
  open();
  done("apply", {{"document", document}});
}

void Dialogue::open() {
  db = std::make_unique<store::Database>(dir.file("pipekit.db"), store::Database::Mode::read_write);
  db->execute_script("PRAGMA synchronous=OFF");  // the data need not survive the process
  if (const auto made = store::migrate(*db); !made) throw std::runtime_error(made.error().message);
  broker = std::make_unique<Broker>(*db, BrokerConfig{kLease, "ipc://control", "ipc://worker"}, now, wall);
}

void Dialogue::restart() {
  broker.reset();
  db.reset();
  workers_.clear();
  open();
}

TurnOutput Dialogue::turn(TurnInput input, bool drained) {
  input.now = now;
  input.wall = wall;
  if (drained) input.drained_since = now;
  auto output = broker->turn(std::move(input));
  for (const auto& outgoing : output.sends) {
    if (const auto* to = std::get_if<ToWorker>(&outgoing)) {
      if (const auto worker = workers_.find(to->peer); worker != workers_.end()) worker->second->hear(to->message);
    } else {
      const auto& message = std::get<ToClient>(outgoing).message;
      if (const auto* reply = std::get_if<Reply>(&message)) replies.push_back(*reply);
      if (const auto* tail = std::get_if<TailReply>(&message)) tails.push_back(*tail);
    }
  }
  TurnInput then;
  for (auto& job : output.reads) {
    const auto id = job.id;
    auto outcome = answer_read(*db, std::move(job));
    if (auto* checked = std::get_if<std::unique_ptr<CheckedDocument>>(&outcome)) {
      if (before_writing) std::exchange(before_writing, nullptr)();
      then.checked.push_back(std::move(*checked));
      continue;
    }
    if (id != 0 && !broker->end_read(id)) continue;  // nobody waits for it
    const auto& answer = std::get<BrokerToClient>(outcome);
    if (const auto* reply = std::get_if<Reply>(&answer)) replies.push_back(*reply);
    if (const auto* tail = std::get_if<TailReply>(&answer)) tails.push_back(*tail);
  }
  if (!then.checked.empty()) this->turn(std::move(then));
  return output;
}

Reply Dialogue::ask(const std::string& verb, const Json& args) {
  Request request;
  request.client = "ctl";
  request.number = ++requests_;
  request.user = "tester";
  request.verb = verb;
  request.args = args;
  return ask(std::move(request));
}

Reply Dialogue::ask(Request request) {
  replies.clear();
  TurnInput input;
  input.from_clients.push_back({"client", encode(ClientToBroker{std::move(request)}), client_key});
  turn(std::move(input));
  return replies.empty() ? Reply{} : replies.back();
}

Json Dialogue::done(const std::string& verb, const Json& args) {
  auto reply = ask(verb, args);
  EXPECT_FALSE(reply.error) << verb << ": " << reply.error->message << " " << reply.body.dump();
  return reply.body;
}

std::string Dialogue::refused(const std::string& verb, const Json& args) {
  const auto reply = ask(verb, args);
  return reply.error ? reply.error->code : "accepted";
}

RunId Dialogue::run(const std::string& module) {
  return RunId{done("run", {{"module", module}}).value("run_id", int64_t{0})};
}

std::vector<TailReply> Dialogue::tail(const TailRequest& request) {
  tails.clear();
  TurnInput input;
  input.from_clients.push_back({"tail", encode(ClientToBroker{request}), client_key});
  turn(std::move(input));
  return std::exchange(tails, {});
}

void Dialogue::from_worker(FakeWorker& worker, const WorkerToBroker& message) {
  TurnInput input;
  input.from_workers.push_back({worker.peer, encode(message), worker.public_key});
  turn(std::move(input));
}

std::string Dialogue::end_of(RunId run) {
  const auto code = db->value<std::string>("SELECT error_code FROM run_log WHERE id = ?", run).value_or("");
  return status(run) + (code.empty() ? "" : " " + code);
}

std::vector<std::string> Dialogue::events(int64_t after) {
  std::vector<std::string> list;
  int64_t next = after + 1;
  for (const auto& numbered : store::events::scan(*db, after, INT64_MAX)) {
    if (after > 0 && numbered.first <= after) next = numbered.first;
    EXPECT_EQ(numbered.first, next) << "no gap";
    next = numbered.last + 1;
    if (const auto* events = std::get_if<std::vector<Event>>(&numbered.chunk)) {
      for (const auto& event : *events) {
        if (event.seq > after) list.push_back(event.kind + (event.run_id ? fmt::format(" {}", *event.run_id) : ""));
      }
    } else {
      const auto& log = std::get<LogChunk>(numbered.chunk);
      list.push_back(fmt::format("run.log {} x{}", log.run_id, log.lines.size()));
    }
  }
  EXPECT_EQ(store::events::last_seq(*db), next - 1);
  return list;
}

Json document_of(const Json& modules, const Json& groups) {
  Json document = {{"connections",
                    {{{"name", "erp"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:/erp.db"}},
                     {{"name", "wh"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:/wh.db"}},
                     {{"name", "bare"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:/b.db"}, {"fence", "none"}}}},
                   {"modules", Json::array()},
                   {"groups", groups}};
  for (const auto& fields : modules) {
    Json module = {{"source_connection", "erp"},
                   {"dest_connection", "wh"},
                   {"dest_table", "t"},
                   {"source_query", "SELECT 1"},
                   {"merge_strategy", "full"}};
    module.update(fields);
    document["modules"].push_back(module);
  }
  return document;
}

}  // namespace pipekit::test
