#include "broker/store/attempts.h"

namespace pipekit::store::attempts {
namespace {

constexpr int64_t kLeftoversAtOnce = 100;

}  // namespace

Epoch insert(Database& db, const NewAttempt& attempt, WallTime now) {
  db.run(
      "INSERT INTO attempt (run_id, number, previous, reconcile, worker, incarnation, state, assigned_at)"
      " VALUES (?, ?, ?, ?, ?, ?, 'assigned', ?)",
      attempt.run, attempt.number, attempt.previous, attempt.reconcile, attempt.worker, attempt.incarnation,
      to_ms(now));
  return Epoch{db.last_insert_id()};
}

std::optional<Row> find(Database& db, Epoch epoch) {
  auto rows = db.query(
      "SELECT id, run_id, number, previous, reconcile, worker, incarnation, state, merging, fact_seq, assigned_at"
      " FROM attempt WHERE id = ?",
      epoch);
  if (!rows.next()) return std::nullopt;
  Row row;
  row.epoch = rows.get<Epoch>(0);
  row.run = rows.get<RunId>(1);
  row.number = rows.get<int64_t>(2);
  row.previous = rows.get<std::optional<Epoch>>(3);
  row.reconcile = rows.get<bool>(4);
  row.worker = rows.get<std::string>(5);
  row.incarnation = rows.get<std::string>(6);
  row.state = attempt_state_from(rows.get<std::string>(7)).value_or(AttemptState::ended);
  row.merging = rows.get<bool>(8);
  row.fact_seq = rows.get<int64_t>(9);
  row.assigned_at = rows.get<int64_t>(10);
  return row;
}

std::vector<Epoch> earlier(Database& db, Epoch newest) {
  std::vector<Epoch> epochs;
  auto at = db.value<Epoch>("SELECT previous FROM attempt WHERE id = ?", newest);
  while (at) {
    epochs.push_back(*at);
    at = db.value<Epoch>("SELECT previous FROM attempt WHERE id = ?", *at);
  }
  return epochs;
}

bool outcome_open(Database& db, Epoch newest) {
  for (std::optional<Epoch> at = newest; at;) {
    auto rows = db.query("SELECT merging, outcome, previous FROM attempt WHERE id = ?", *at);
    if (!rows.next()) return false;
    const auto merging = rows.get<bool>(0);
    const auto outcome = rows.get<std::string>(1);
    // "merged" on a run that is not over: a late word, kept for the newer attempt to adopt.
    if (outcome == "unknown" || outcome == "merged" || (merging && outcome.empty())) return true;
    // An attempt that reached its merge had claimed the fence, and so settled those before it.
    if (merging || outcome == "not_merged") return false;
    at = rows.get<std::optional<Epoch>>(2);
  }
  return false;
}

std::optional<AttemptState> apply(Database& db, Epoch epoch, AttemptState from, AttemptEvent event, WallTime now) {
  const auto to = next(from, event);
  if (!to) return std::nullopt;
  const std::optional<int64_t> started = event == AttemptEvent::started ? std::optional(to_ms(now)) : std::nullopt;
  const std::optional<int64_t> ended = is_live(*to) ? std::nullopt : std::optional(to_ms(now));
  const auto changed = db.run(
      "UPDATE attempt SET state = ?, started_at = coalesce(started_at, ?), ended_at = coalesce(?, ended_at)"
      " WHERE id = ? AND state = ?",
      to_string(*to), started, ended, epoch, to_string(from));
  if (changed == 0) return std::nullopt;
  return to;
}

bool advance(Database& db, Epoch epoch, int64_t seq) {
  return db.run("UPDATE attempt SET fact_seq = ? WHERE id = ? AND fact_seq = ?", seq, epoch, seq - 1) == 1;
}

void set_merging(Database& db, Epoch epoch) { db.run("UPDATE attempt SET merging = 1 WHERE id = ?", epoch); }

void record_end(Database& db, Epoch epoch, const std::string& status, const std::string& outcome,
                const std::string& error, std::optional<int64_t> row_count, const std::vector<StepTime>& steps) {
  db.run("UPDATE attempt SET status = ?, outcome = ?, error = ?, row_count = ?, steps_json = ? WHERE id = ?", status,
         outcome, error, row_count, steps_json(steps).dump(), epoch);
}

void record_steps(Database& db, Epoch epoch, const std::vector<StepTime>& steps) {
  db.run("UPDATE attempt SET steps_json = ? WHERE id = ?", steps_json(steps).dump(), epoch);
}

Json steps_json(const std::vector<StepTime>& steps) {
  auto list = Json::array();
  for (const auto& one : steps) {
    list.push_back({{"name", one.step}, {"started_at", to_iso(from_ms(one.at))}, {"duration_ms", one.duration_ms}});
  }
  return list;
}

void add_leftover(Database& db, ModuleId module, RunKey key) {
  db.run("INSERT INTO leftover (module_id, epoch, run_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", module, key.epoch,
         key.run);
}

std::vector<RunKey> leftovers(Database& db, ModuleId module) {
  std::vector<RunKey> keys;
  auto rows = db.query("SELECT run_id, epoch FROM leftover WHERE module_id = ? ORDER BY epoch LIMIT ?", module,
                       kLeftoversAtOnce);
  while (rows.next()) keys.push_back({rows.get<RunId>(0), rows.get<Epoch>(1)});
  return keys;
}

void clear_leftovers(Database& db, ModuleId module, Epoch up_to) {
  // The ones that the attempt was given; later ones are newer than it. (epoch IN (...) would make a temporary
  // table.)
  db.run(
      "DELETE FROM leftover WHERE module_id = ?1 AND epoch <= (SELECT max(epoch) FROM (SELECT epoch FROM leftover"
      " WHERE module_id = ?1 AND epoch <= ?2 ORDER BY epoch LIMIT ?3))",
      module, up_to, kLeftoversAtOnce);
}

Epoch highest(Database& db) { return db.value<Epoch>("SELECT max(id) FROM attempt").value_or(Epoch{}); }

}  // namespace pipekit::store::attempts
