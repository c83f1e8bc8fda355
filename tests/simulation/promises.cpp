#include "tests/simulation/promises.h"

#include <algorithm>

#include "broker/answered_requests.h"
#include "broker/store/attempts.h"
#include "broker/store/events.h"

namespace pipekit::simulation {
namespace {

constexpr auto kFenceTable = "pipekit_staging__fence";

std::string words(const Event& event) {
  return fmt::format("{} {} {}", event.kind, event.run_id.value_or(0), event.fields.dump());
}

std::string words(const LogChunk& chunk, size_t line) {
  return fmt::format("run.log {} {}", chunk.run_id, chunk.lines[line].text);
}

}  // namespace

Promises::Promises(World& world, SimulatedBroker& broker, std::vector<std::unique_ptr<SimulatedWorker>>& workers,
                   std::vector<SimulatedModule> modules, std::map<std::string, int64_t> sessions_of)
    : world_(world),
      broker_(broker),
      workers_(workers),
      modules_(std::move(modules)),
      sessions_of_(std::move(sessions_of)) {}

const SimulatedModule* Promises::module_of_table(const std::string& table) const {
  const auto found = std::ranges::find(modules_, table, &SimulatedModule::name);
  return found == modules_.end() ? nullptr : &*found;
}

void Promises::committed(Session& session, const std::set<std::string>& tables) {
  for (const auto& table : tables) {
    if (const auto* module = module_of_table(table)) merged(session, *module);
  }
}

void Promises::merged(Session& session, const SimulatedModule& module) {
  const auto [run, epoch] = session.attempt();
  const auto mine = fmt::format("{}/{}", run.value, epoch.value);
  world_.note("{}: {} has merged into {}", session.server(), mine, module.name);
  world_.count("merges");
  auto& merges = merges_[run.value];
  const auto rows = session.rows(fmt::format("SELECT count(*) FROM {} WHERE v = '{}'", module.name, mine));
  merges.push_back({epoch, module.name, std::stoll(rows.at(0).at(0))});
  if (merges.size() > 1 && (module.fenced || module.strategy == "append")) {
    world_.broken(fmt::format("run {} of {} merged twice: by epoch {} and by epoch {}", run.value, module.name,
                              merges[0].epoch.value, epoch.value));
  }
  if (!module.fenced) return;
  const auto fence =
      session.rows(fmt::format("SELECT epoch, closed FROM {} WHERE module = '{}'", kFenceTable, module.name));
  const bool held = fence.size() == 1 && fence[0][0] == std::to_string(epoch.value) && fence[0][1] == "0";
  if (held) return;
  world_.broken(fmt::format(
      "epoch {} of run {} merged into {} although the fence {}", epoch.value, run.value, module.name,
      fence.empty() ? "was never claimed" : "is at epoch " + fence[0][0] + (fence[0][1] == "1" ? ", closed" : "")));
}

void Promises::accepted(const Request& request, const Json& body) { accepted_.push_back({request, body}); }

// "Too late to be recognised" is the only refusal of a command that may have been executed.
void Promises::refused(const Request& request, const WireError& error) {
  if (error.code != "stale_request") refused_.push_back(request);
}

void Promises::log(int64_t seq, std::string text) {
  if (seq != static_cast<int64_t>(log_.size()) + 1) {
    return world_.broken(fmt::format("the event log has {} after {}", seq, log_.size()));
  }
  log_.push_back(std::move(text));
}

void Promises::shown(const std::string& who, int64_t after, const TailReply& reply) {
  std::map<int64_t, std::string> seen;
  for (const auto& event : reply.events) seen[event.seq] = words(event);
  for (const auto& chunk : reply.logs) {
    for (size_t i = 0; i < chunk.lines.size(); ++i) seen[chunk.first_seq + static_cast<int64_t>(i)] = words(chunk, i);
  }
  for (int64_t seq = after + 1; seq <= reply.next; ++seq) {
    const auto found = seen.find(seq);
    if (found == seen.end()) return world_.broken(fmt::format("{} was not shown event {}", who, seq));
    const auto index = static_cast<size_t>(seq - 1);
    if (index >= log_.size() || log_[index] != found->second) {
      return world_.broken(fmt::format("{} was shown event {} ({}), which is not in the log", who, seq, found->second));
    }
  }
}

void Promises::before_turn(const std::vector<Received>& from_workers) {
  renewed_.clear();
  std::map<std::string, std::string> incarnations;  // of the workers that say hello
  std::vector<RunKey> listed;
  for (const auto& received : from_workers) {
    const auto message = decode_worker_to_broker(received.frames.head, received.frames.body);
    if (!message) continue;
    if (const auto* hello = std::get_if<Hello>(&*message)) {
      incarnations[hello->name] = hello->incarnation;
      listed.insert(listed.end(), hello->attempts.begin(), hello->attempts.end());
    } else if (const auto* heartbeat = std::get_if<Heartbeat>(&*message)) {
      listed.insert(listed.end(), heartbeat->attempts.begin(), heartbeat->attempts.end());
    }
  }
  for (const auto key : listed) {
    const auto row = store::attempts::find(broker_.db(), key.epoch);
    if (!row || !is_live(row->state)) continue;
    // A new process's report about its predecessor's attempts takes precedence.
    const auto hello = incarnations.find(row->worker);
    if (hello == incarnations.end() || hello->second == row->incarnation) renewed_.push_back(key);
  }
}

// A worker is not late if its heartbeat had arrived but had not been read.
void Promises::check_renewed() {
  for (const auto key : renewed_) {
    const auto state = broker_.db().value<std::string>("SELECT state FROM attempt WHERE id = ?", key.epoch);
    if (state != "lost") continue;
    world_.broken(fmt::format("attempt {}/{} was given up although the heartbeat that renews it had arrived",
                              key.run.value, key.epoch.value));
  }
}

void Promises::after_turn() {
  const auto last = store::events::last_seq(broker_.db());
  if (last < static_cast<int64_t>(log_.size())) {
    return world_.broken(fmt::format("committed events are gone: {} are left of {}", last, log_.size()));
  }
  if (last == static_cast<int64_t>(log_.size())) return;
  read_events();
  check_leases();
  check_renewed();
  check_capacity();
}

void Promises::read_events() {
  for (const auto& numbered : store::events::scan(broker_.db(), static_cast<int64_t>(log_.size()), INT64_MAX)) {
    if (const auto* chunk = std::get_if<LogChunk>(&numbered.chunk)) {
      look_at(*chunk);
    } else {
      for (const auto& event : std::get<std::vector<Event>>(numbered.chunk)) look_at(event);
    }
  }
}

void Promises::look_at(const Event& event) {
  log(event.seq, words(event));
  if (event.kind == "run.finished" || event.kind == "run.queued" || event.kind == "run.assigned") {
    world_.note("#{} {} {} {}", event.seq, event.kind, event.run_id.value_or(0), event.fields.dump());
  }
  if (event.run_id && finished_.contains(*event.run_id)) {
    world_.broken(fmt::format("run {} has {} after run.finished", *event.run_id, event.kind));
  }
  if (event.kind == "run.finished") {
    finished_.insert(*event.run_id);
    world_.count("runs");
  }
  if (event.kind != "schedule.fired") return;
  const auto time = fmt::format("{} at {}", event.fields.value("schedule_id", 0), event.fields.value("nominal_at", ""));
  if (!fired_.insert(time).second) world_.broken(fmt::format("schedule {} has fired twice", time));
}

void Promises::look_at(const LogChunk& chunk) {
  for (size_t i = 0; i < chunk.lines.size(); ++i) {
    log(chunk.first_seq + static_cast<int64_t>(i), words(chunk, i));
    if (lines_.insert(chunk.lines[i].text).second) continue;
    world_.broken(fmt::format("the log of run {} has \"{}\" twice", chunk.run_id, chunk.lines[i].text));
  }
  if (finished_.contains(chunk.run_id)) world_.broken(fmt::format("run {} has a log line after its end", chunk.run_id));
}

// A worker's lease ends before the broker assigns its run to another worker, or ends it.
void Promises::check_leases() {
  for (const auto& worker : workers_) {
    for (const auto key : worker->believes()) {
      const auto state = broker_.db().value<std::string>("SELECT state FROM attempt WHERE id = ?", key.epoch);
      if (state != "lost") continue;
      world_.broken(fmt::format("attempt {}/{} was given up while its worker {} still has the lease", key.run.value,
                                key.epoch.value, worker->name()));
    }
  }
}

void Promises::check_capacity() {
  std::map<std::string, int64_t> busy;
  std::map<std::string, int64_t> sessions;
  auto rows = broker_.db().query(
      "SELECT a.worker, r.module_name, a.reconcile FROM run_log r JOIN attempt a ON a.id = r.last_epoch"
      " WHERE r.status IN ('queued', 'running') AND r.status = 'running'");
  while (rows.next()) {
    ++busy[rows.get<std::string>(0)];
    ++sessions[module_of_table(rows.get<std::string>(1))->connection];
    if (!rows.get<bool>(2)) ++sessions["source"];
  }
  for (const auto& worker : workers_) {
    if (busy[worker->name()] <= worker->slots()) continue;
    world_.broken(fmt::format("{} has {} runs in {} slots", worker->name(), busy[worker->name()], worker->slots()));
  }
  for (const auto& [connection, most] : sessions_of_) {
    if (most == 0 || sessions[connection] <= most) continue;
    world_.broken(fmt::format("{} has {} sessions, {} are allowed", connection, sessions[connection], most));
  }
}

bool Promises::all_final() {
  return broker_.alive() && broker_.db().value<int64_t>(
                                "SELECT (SELECT count(*) FROM run_log WHERE status IN ('queued', 'running'))"
                                " + (SELECT count(*) FROM group_run WHERE status IN ('queued', 'running'))") == 0;
}

std::string Promises::what_lives() {
  std::string words;
  if (!broker_.alive()) return "no broker";
  auto rows = broker_.db().query(
      "SELECT 'run ' || r.id || ' of ' || module_name || ', ' || r.status || coalesce(', attempt ' || a.id || ' ' ||"
      " a.state || ' on ' || a.worker, '') FROM run_log r LEFT JOIN attempt a ON a.id = r.last_epoch"
      " WHERE r.status IN ('queued', 'running') UNION ALL"
      " SELECT 'group run ' || id FROM group_run WHERE status IN ('queued', 'running')");
  while (rows.next()) words += (words.empty() ? "" : "; ") + rows.get<std::string>(0);
  return words;
}

namespace {

// As the store keeps it; the simulated sockets tell nobody's uid.
std::string bound(const Request& request) { return AnsweredRequests::bound("local", request.client); }

}  // namespace

void Promises::check_accepted() {
  auto& db = broker_.db();
  for (const auto& [request, body] : accepted_) {
    const auto kept = request.verb == "run"
                          ? db.value<int64_t>(
                                "SELECT count(*) FROM run_log WHERE id = ? AND client = ? AND"
                                " request_no = ?",
                                body.value("run_id", int64_t{0}), bound(request), request.number)
                          : db.value<int64_t>("SELECT count(*) FROM request WHERE client = ? AND request_no = ?",
                                              bound(request), request.number);
    if (kept == 1) continue;
    world_.broken(fmt::format("{} {} of {} was accepted ({}) and is lost", request.verb, request.number, request.client,
                              body.dump()));
  }
}

void Promises::check_requests() {
  auto& db = broker_.db();
  auto twice = db.query(
      "SELECT client, request_no, count(*) FROM run_log WHERE request_no > 0 GROUP BY 1, 2 HAVING count(*) > 1");
  while (twice.next()) {
    world_.broken(fmt::format("run {} of {} was executed {} times", twice.get<int64_t>(1), twice.get<std::string>(0),
                              twice.get<int64_t>(2)));
  }
  for (const auto& request : refused_) {
    const auto kept = db.value<int64_t>(
        "SELECT (SELECT count(*) FROM run_log WHERE client = ?1 AND request_no = ?2)"
        " + (SELECT count(*) FROM request WHERE client = ?1 AND request_no = ?2)",
        bound(request), request.number);
    if (kept == 0) continue;
    world_.broken(fmt::format("{} {} of {} was refused, and executed", request.verb, request.number, request.client));
  }
  // Each of these reports something that no other event reports.
  auto edits =
      db.query("SELECT args_json, count(*) FROM audit WHERE verb = 'connection.update' GROUP BY 1 HAVING count(*) > 1");
  while (edits.next()) world_.broken("executed twice: connection.update " + edits.get<std::string>(0));
}

void Promises::check_run(int64_t run, const std::string& module, const std::string& status, const std::string& code,
                         std::optional<int64_t> row_count) {
  const auto& merges = merges_[run];
  const bool told_merged =
      broker_.db().value<int64_t>("SELECT count(*) FROM attempt WHERE run_id = ? AND outcome = 'merged'", run) > 0;
  const auto told = fmt::format("run {} of {} ended in {} {}", run, module, status, code);
  if (status == "success") {
    if (merges.empty()) return world_.broken(told + ", and has not merged");
    if (std::ranges::find(merges, row_count, &Merge::rows) == merges.end()) {
      world_.broken(fmt::format("{} with {} rows, and merged {}", told, row_count.value_or(-1), merges.back().rows));
    }
  } else if (told_merged ? merges.empty() : !merges.empty()) {
    if (code == "outcome_unknown" || !module_of_table(module)->fenced) return;
    world_.broken(told + (told_merged ? ", and has not merged" : ", and has merged"));
  }
}

void Promises::check_runs() {
  auto rows = broker_.db().query("SELECT id, module_name, status, error_code, row_count, dry_run FROM run_log");
  while (rows.next()) {
    const auto id = rows.get<int64_t>(0);
    if (!finished_.contains(id)) world_.broken(fmt::format("run {} ended without run.finished", id));
    if (rows.get<bool>(5)) {
      if (!merges_[id].empty()) world_.broken(fmt::format("the dry run {} has merged", id));
      continue;
    }
    check_run(id, rows.get<std::string>(1), rows.get<std::string>(2), rows.get<std::string>(3),
              rows.get<std::optional<int64_t>>(4));
  }
}

// The tables contain exactly what was merged.
void Promises::check_rows(const Destinations& destinations) {
  for (const auto& module : modules_) {
    std::map<std::string, int64_t> expected;
    std::string last;
    for (const auto& [run, merges] : merges_) {
      for (const auto& merge : merges) {
        if (merge.module != module.name) continue;
        last = fmt::format("{}/{}", run, merge.epoch.value);
        expected[last] += merge.rows;
      }
    }
    const auto found =
        destinations.at(module.connection)->rows(fmt::format("SELECT v, count(*) FROM {} GROUP BY v", module.name));
    for (const auto& row : found) {
      const auto rows = std::stoll(row.at(1));
      const bool right = module.strategy == "append" ? expected[row[0]] == rows : expected[row[0]] >= rows;
      if (!right) world_.broken(fmt::format("{} has {} rows of {}", module.name, rows, row[0]));
    }
    if (module.strategy == "append" && found.size() != expected.size()) {
      world_.broken(
          fmt::format("{} has rows of {} merges, {} were committed", module.name, found.size(), expected.size()));
    }
    if (module.strategy == "full" && found.size() > 1) world_.broken(module.name + " has rows of two full merges");
  }
}

void Promises::check_groups() {
  auto& db = broker_.db();
  auto wrong = db.query(
      "SELECT m.group_run_id, m.run_id FROM group_run_member m LEFT JOIN run_log r ON r.id = m.run_id"
      " WHERE m.run_id IS NOT NULL AND (r.group_run_id IS NOT m.group_run_id OR r.status IS NOT m.status)");
  while (wrong.next()) {
    world_.broken(
        fmt::format("group run {} and its run {} do not agree", wrong.get<int64_t>(0), wrong.get<int64_t>(1)));
  }
  const auto strays = db.value<int64_t>(
      "SELECT count(*) FROM run_log r WHERE r.group_run_id IS NOT NULL AND NOT EXISTS"
      " (SELECT 1 FROM group_run_member m WHERE m.group_run_id = r.group_run_id AND m.run_id = r.id)");
  if (strays != 0) world_.broken(fmt::format("{} runs belong to a group run that does not know them", *strays));
}

void Promises::check_ledger() {
  auto& db = broker_.db();
  const auto without = db.value<int64_t>(
      "SELECT count(*) FROM schedule_fire f LEFT JOIN group_run g ON g.id = f.group_run_id"
      " WHERE (f.outcome = 'fired') <> (g.triggered_by IS 'schedule:' || f.schedule_id)");
  if (without != 0) world_.broken(fmt::format("{} rows of the ledger and their group runs do not agree", *without));
  const auto unexplained = db.value<int64_t>(
      "SELECT count(*) FROM group_run g WHERE g.triggered_by LIKE 'schedule:%' AND 1 <>"
      " (SELECT count(*) FROM schedule_fire f WHERE f.group_run_id = g.id)");
  if (unexplained != 0) world_.broken(fmt::format("{} scheduled group runs have no row of their own", *unexplained));
}

void Promises::check_viewer() {
  const auto changed = broker_.db().value<int64_t>("SELECT count(*) FROM audit WHERE who = 'viewer'");
  if (changed != 0) world_.broken(fmt::format("a viewer has changed something: {} rows of the audit", *changed));
}

void Promises::at_end(const Destinations& destinations) {
  check_accepted();
  check_requests();
  check_runs();
  check_rows(destinations);
  check_groups();
  check_ledger();
  check_viewer();
}

}  // namespace pipekit::simulation
