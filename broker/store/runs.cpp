#include "broker/store/runs.h"

namespace pipekit::store::runs {

std::optional<RunId> insert(Database& db, const NewRun& run, WallTime now) {
  // The partial unique index is the lock; a conflict is the answer "locked", not an error.
  const auto inserted = db.run(
      "INSERT INTO run_log (module_id, module_name, group_run_id, snapshot_id, dry_run, set_json, status, queued_at,"
      " triggered_by, client, request_no, queued_seq) VALUES (?, ?, ?, ?, ?, ?, 'queued', ?, ?, ?, ?, ?)"
      " ON CONFLICT (module_id) WHERE status IN ('queued', 'running') DO NOTHING",
      run.module, run.module_name, run.group_run, run.snapshot_id, run.dry_run, Json(run.set).dump(), to_ms(now),
      run.triggered_by, run.client, run.request_no, run.queued_seq);
  if (inserted == 0) return std::nullopt;
  return RunId{db.last_insert_id()};
}

std::optional<Holder> holder(Database& db, ModuleId module) {
  auto rows = db.query(
      "SELECT r.id, r.status, coalesce(a.worker, '') FROM run_log r"
      " LEFT JOIN attempt a ON a.id = r.last_epoch AND r.status = 'running'"
      " WHERE r.module_id = ? AND r.status IN ('queued', 'running')",
      module);
  if (!rows.next()) return std::nullopt;
  return Holder{rows.get<RunId>(0), rows.get<std::string>(1), rows.get<std::string>(2)};
}

bool mark_running(Database& db, RunId run, Epoch epoch, bool counts_as_attempt, WallTime now) {
  return db.run(
             "UPDATE run_log SET status = 'running', last_epoch = ?, attempts = attempts + ?,"
             " started_at = coalesce(started_at, ?) WHERE id = ? AND status = 'queued'",
             epoch, counts_as_attempt, to_ms(now), run) == 1;
}

bool requeue(Database& db, RunId run, const Requeue& how) {
  return db.run(
             "UPDATE run_log SET status = 'queued', not_before = ?, reconcile = ?, attempts = attempts - ?,"
             " error_code = ?, error = ? WHERE id = ? AND status IN ('queued', 'running')",
             to_ms(how.not_before), how.reconcile, how.attempt_unused, how.error_code, how.error, run) == 1;
}

bool request_cancel(Database& db, RunId run) {
  return db.run("UPDATE run_log SET cancel_requested = 1 WHERE id = ? AND status IN ('queued', 'running')", run) == 1;
}

bool finish(Database& db, RunId run, const End& end, int64_t finished_seq, WallTime now) {
  const auto changed = db.run(
      "UPDATE run_log SET status = ?, error_code = ?, error = ?, row_count = ?, finished_at = ?, finished_seq = ?,"
      " previous_run = coalesce((SELECT l.run_id FROM module_last_run l WHERE l.module_id = run_log.module_id), 0)"
      " WHERE id = ? AND status IN ('queued', 'running')",
      end.status, end.error_code, end.error, end.row_count, to_ms(now), finished_seq, run);
  if (changed == 0) return false;
  db.run(
      "INSERT INTO module_last_run (module_id, run_id, succeeded, hooks_failed)"
      " SELECT module_id, id, status = 'success', hooks_failed FROM run_log"
      " WHERE id = ? ON CONFLICT (module_id) DO UPDATE SET run_id = excluded.run_id,"
      " succeeded = succeeded OR excluded.succeeded, hooks_failed = excluded.hooks_failed",
      run);
  return true;
}

void record_details(Database& db, RunId run, const fact::Finished& details) {
  db.run(
      "UPDATE run_log SET resolved_source_sql = ?, merge_sql = ?, watermark_values_json = ?, jrunner_stdout = ?,"
      " jrunner_stderr = ?, hook_log = ?, defaulted_json = ?, hooks_failed = ? WHERE id = ?",
      details.resolved_source_sql, details.merge_sql,
      details.watermark_values_json.empty() ? "{}" : details.watermark_values_json, details.jrunner_stdout,
      details.jrunner_stderr, details.hook_log, Json(details.defaulted).dump(), details.hooks_failed, run);
}

std::vector<Live> load_live(Database& db) {
  std::vector<Live> live;
  auto rows = db.query(
      "SELECT id, module_id, module_name, group_run_id, snapshot_id, dry_run, set_json, status, last_epoch, attempts,"
      " cancel_requested, reconcile, not_before, queued_at, started_at, error_code, error, hooks_failed"
      " FROM run_log INDEXED BY run_live WHERE status IN ('queued', 'running') ORDER BY id");
  while (rows.next()) {
    auto& run = live.emplace_back();
    run.id = rows.get<RunId>(0);
    run.module = rows.get<ModuleId>(1);
    run.module_name = rows.get<std::string>(2);
    run.group_run = rows.get<std::optional<GroupRunId>>(3);
    run.snapshot_id = rows.get<int64_t>(4);
    run.dry_run = rows.get<bool>(5);
    run.set = Json::parse(rows.get<std::string>(6)).get<std::map<std::string, std::string>>();
    run.status = rows.get<std::string>(7);
    run.last_epoch = rows.get<std::optional<Epoch>>(8);
    run.attempts = rows.get<int64_t>(9);
    run.cancel_requested = rows.get<bool>(10);
    run.reconcile = rows.get<bool>(11);
    run.not_before = rows.get<int64_t>(12);
    run.queued_at = rows.get<int64_t>(13);
    run.started_at = rows.get<std::optional<int64_t>>(14);
    run.error_code = rows.get<std::string>(15);
    run.error = rows.get<std::string>(16);
    run.hooks_failed = rows.get<int64_t>(17);
  }
  return live;
}

std::optional<std::string> status_of(Database& db, RunId run) {
  return db.value<std::string>("SELECT status FROM run_log WHERE id = ?", run);
}

std::string error_of(Database& db, RunId run) {
  return db.value<std::string>("SELECT error FROM run_log WHERE id = ?", run).value_or("");
}

int64_t hooks_failed(Database& db, RunId run) {
  return db.value<int64_t>("SELECT hooks_failed FROM run_log WHERE id = ?", run).value_or(0);
}

std::optional<RunId> last_of(Database& db, ModuleId module) {
  return db.value<RunId>("SELECT run_id FROM module_last_run WHERE module_id = ?", module);
}

bool has_succeeded(Database& db, ModuleId module) {
  return db.value<bool>("SELECT succeeded FROM module_last_run WHERE module_id = ?", module).value_or(false);
}

std::vector<std::string> defaulted_in(Database& db, RunId run) {
  return Json::parse(db.value<std::string>("SELECT defaulted_json FROM run_log WHERE id = ?", run).value_or("[]"));
}

std::vector<Accepted> accepted_since(Database& db, WallTime since) {
  std::vector<Accepted> accepted;
  // Newest first until one is older: no index needed.
  auto rows = db.query("SELECT client, request_no, id, queued_seq, queued_at FROM run_log ORDER BY id DESC");
  for (int64_t seen = 0; rows.next(); ++seen) {
    if (seen >= kAcceptedAnyway && rows.get<int64_t>(4) < to_ms(since)) break;
    if (rows.get<int64_t>(1) == 0) continue;
    accepted.push_back({rows.get<std::string>(0), rows.get<int64_t>(1), rows.get<RunId>(2), rows.get<int64_t>(3),
                        rows.get<int64_t>(4)});
  }
  return accepted;
}

}  // namespace pipekit::store::runs
