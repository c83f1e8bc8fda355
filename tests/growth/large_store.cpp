#include "tests/growth/large_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/store/events.h"
#include "broker/store/runs.h"

namespace pipekit::test {
namespace {

constexpr int64_t kRowsPerTransaction = 20'000;

// Commits now and then: one transaction of gigabytes would go through the write-ahead log.
class Batches {
 public:
  explicit Batches(store::Database& db) : db_(db) { db_.run("BEGIN IMMEDIATE"); }
  ~Batches() { db_.run("COMMIT"); }
  Batches(const Batches&) = delete;
  Batches& operator=(const Batches&) = delete;
  void row() {
    if (++rows_ % kRowsPerTransaction != 0) return;
    db_.run("COMMIT");
    db_.run("BEGIN IMMEDIATE");
  }

 private:
  store::Database& db_;
  int64_t rows_ = 0;
};

store::runs::NewRun queued_run(int64_t module) {
  store::runs::NewRun run;
  run.module = ModuleId{module};
  run.module_name = fmt::format("module_{}", module);
  run.snapshot_id = module;
  run.triggered_by = "manual";
  return run;
}

void add_definitions(store::Database& db, const StoreSize& size, int64_t now) {
  Batches batches(db);
  db.run(
      "INSERT INTO connection (name, driver_id, jdbc_url, created_at, updated_at) VALUES"
      " ('source', 1, 'jdbc:sqlite:/tmp/source.db', ?1, ?1), ('destination', 1, 'jdbc:sqlite:/tmp/dest.db', ?1, ?1)",
      now);
  for (int64_t i = 1; i <= size.modules; ++i, batches.row()) {
    db.run(
        "INSERT INTO module (name, fence_name, source_connection_id, dest_connection_id, dest_table, source_query,"
        " merge_strategy, created_at, updated_at) VALUES (?1, ?1, 1, 2, ?1, 'SELECT id, v FROM items', 'append', ?2,"
        " ?2)",
        fmt::format("module_{}", i), now);
    const Json snapshot = {{"id", i}, {"name", fmt::format("module_{}", i)}};
    db.run("INSERT INTO definition_snapshot (module_id, body) VALUES (?, ?)", i, snapshot.dump());
  }
  for (int64_t i = 1; i <= size.groups; ++i, batches.row()) {
    db.run("INSERT INTO grp (name) VALUES (?)", fmt::format("group_{}", i));
    for (int64_t j = 0; j < 5 && size.modules > 0; ++j) {
      db.run("INSERT INTO group_member (group_id, module_id, run_order) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", i,
             1 + (5 * i + j) % size.modules, j);
    }
  }
  for (int64_t i = 0; i < size.schedules && size.groups > 0; ++i, batches.row()) {
    db.run("INSERT INTO schedule (group_id, cron_expr, considered_at) VALUES (?, ?, ?)", 1 + i % size.groups,
           fmt::format("{} {} * * *", i % 60, i / 60 % 24), now);
    db.run(
        "INSERT INTO schedule_fire (schedule_id, nominal_at, until_at, outcome) SELECT ?1, ?2 - value * 86400000,"
        " ?2 - value * 86400000, 'fired' FROM json_each('[1,2,3,4,5,6,7,8,9,10]')",
        db.last_insert_id(), now);
  }
}

void add_log(store::Database& db, const StoreSize& size, int64_t run, const std::string& module, int64_t& seq,
             int64_t at) {
  for (int64_t lines = 0; lines < size.lines_per_run;) {
    LogChunk chunk{seq + 1, at, run, std::nullopt, module, "w1", {}};
    for (int64_t i = 0; i < 50 && lines < size.lines_per_run; ++i, ++lines) {
      chunk.lines.push_back({false, fmt::format("run {}: line {} of what a job prints", run, lines)});
    }
    const auto first = seq + 1;
    seq += static_cast<int64_t>(chunk.lines.size());
    store::events::append(db, {first, seq, std::move(chunk)});
  }
}

int64_t add_event(store::Database& db, const char* kind, int64_t run, const std::string& module, int64_t& seq,
                  int64_t at) {
  Event event;
  event.seq = ++seq;
  event.ts = at;
  event.kind = kind;
  event.run_id = run;
  event.module_name = module;
  store::events::append(db, {seq, seq, std::vector<Event>{event}});
  return seq;
}

void add_runs(store::Database& db, const StoreSize& size, WallTime now) {
  Batches batches(db);
  auto seq = store::events::last_seq(db);
  for (int64_t i = 0; i < size.runs; ++i, batches.row()) {
    // Not in the order of modules, as schedules would have it.
    const auto module = 1 + i * 7919 % size.modules;
    const auto name = fmt::format("module_{}", module);
    const auto at = to_ms(now) - 60'000 - (size.runs - i) * 1000;
    auto queued = queued_run(module);
    queued.queued_seq = seq + 1;
    const RunId run = *store::runs::insert(db, queued, from_ms(at));
    add_event(db, "run.queued", run.value, name, seq, at);
    db.run(
        "INSERT INTO attempt (run_id, number, worker, incarnation, state, assigned_at, started_at, ended_at)"
        " VALUES (?1, 1, 'w1', 'i1', 'ended', ?2, ?2, ?2)",
        run, at);
    store::runs::mark_running(db, run, Epoch{db.last_insert_id()}, true, from_ms(at));
    add_log(db, size, run.value, name, seq, at);
    fact::Finished details;
    details.resolved_source_sql = "SELECT id, v FROM items WHERE id > 1000";
    details.merge_sql = std::string(500, 'm');
    details.jrunner_stdout = std::string(800, 'o');
    store::runs::record_details(db, run, details);
    const bool failed = i % 100 < size.failed_percent;
    store::runs::finish(db, run, {failed ? "error" : "success", failed ? "sql" : "", "", 42}, seq + 1,
                        from_ms(at + 500));
    add_event(db, "run.finished", run.value, name, seq, at + 500);
  }
}

void add_group_runs(store::Database& db, const StoreSize& size, WallTime now) {
  Batches batches(db);
  for (int64_t i = 0; i < size.group_runs && size.groups > 0; ++i, batches.row()) {
    const auto at = to_ms(now) - (size.group_runs - i) * 1000;
    const auto group = 1 + i % size.groups;
    db.run(
        "INSERT INTO group_run (group_id, group_name, stop_on_failure, started_at, finished_at, status, triggered_by)"
        " VALUES (?1, 'group_' || ?1, 0, ?2, ?2, 'success', 'schedule:1')",
        group, at);
    db.run(
        "INSERT INTO group_run_member (group_run_id, position, run_order, module_id, module_name, status)"
        " SELECT ?1, row_number() OVER (), m.run_order, m.module_id, 'module_' || m.module_id, 'success'"
        " FROM group_member m WHERE m.group_id = ?2",
        db.last_insert_id(), group);
  }
}

void add_live(store::Database& db, const StoreSize& size, WallTime now) {
  Batches batches(db);
  for (int64_t i = 1; i <= std::min(size.live, size.modules); ++i, batches.row()) {
    store::runs::insert(db, queued_run(i), now);
  }
}

void free_pages(store::Database& db, int64_t mib) {
  if (mib == 0) return;
  db.execute_script("CREATE TABLE ballast (x)");
  {
    Batches batches(db);
    for (int64_t i = 0; i < mib * 256; ++i, batches.row()) db.run("INSERT INTO ballast VALUES (zeroblob(4000))");
  }
  db.execute_script("DROP TABLE ballast");
}

}  // namespace

void fill(store::Database& db, const StoreSize& size, WallTime now) {
  db.execute_script("PRAGMA synchronous=OFF; PRAGMA cache_size=-200000");
  add_definitions(db, size, to_ms(now));
  add_runs(db, size, now);
  add_group_runs(db, size, now);
  for (int64_t id = 1; id <= std::min(size.removed_modules, size.modules); ++id) {
    db.run("DELETE FROM module WHERE id = ?", id);
  }
  add_live(db, size, now);
  free_pages(db, size.free_mib);
  db.empty_wal(std::chrono::seconds{5});
}

}  // namespace pipekit::test
