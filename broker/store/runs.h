// The run log: one row a run, and with it the lock of its module. Every change is guarded by the status it starts from;
// false or nullopt says that the guard did not hold (late, duplicate, locked), and nothing was changed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/store/database.h"
#include "shared/clock.h"

namespace pipekit::store::runs {

struct NewRun {
  ModuleId module;
  std::string module_name;
  std::optional<GroupRunId> group_run;
  int64_t snapshot_id = 0;
  bool dry_run = false;
  std::map<std::string, std::string> set;
  std::string triggered_by;
  std::string client;
  int64_t request_no = 0;
  int64_t queued_seq = 0;
};

// nullopt: a live run holds the module.
std::optional<RunId> insert(Database& db, const NewRun& run, WallTime now);

struct Holder {
  RunId run;
  std::string status;
  std::string worker;  // empty while queued
};
std::optional<Holder> holder(Database& db, ModuleId module);

bool mark_running(Database& db, RunId run, Epoch epoch, bool counts_as_attempt, WallTime now);

// Back to the queue. not_before: wall time, for a restart of the broker; reconcile: the next attempt only asks.
struct Requeue {
  WallTime not_before{};
  bool reconcile = false;
  bool attempt_unused = false;  // it was never begun and does not count
  std::string error_code;       // what the run ends with if the next attempt finds nothing better
  std::string error;
};
bool requeue(Database& db, RunId run, const Requeue& how);

bool request_cancel(Database& db, RunId run);

struct End {
  std::string status;
  std::string error_code;
  std::string error;
  std::optional<int64_t> row_count;
};
// `finished_seq`: its run.finished event. Also remembers it as its module's last run.
bool finish(Database& db, RunId run, const End& end, int64_t finished_seq, WallTime now);

// What the worker's final fact says for the run log; the newest attempt's is kept.
void record_details(Database& db, RunId run, const fact::Finished& details);

// A live run, from its row.
struct Live {
  RunId id;
  ModuleId module;
  std::string module_name;
  std::optional<GroupRunId> group_run;
  int64_t snapshot_id = 0;
  bool dry_run = false;
  std::map<std::string, std::string> set;
  std::string status;
  std::optional<Epoch> last_epoch;
  int64_t attempts = 0;
  bool cancel_requested = false;
  bool reconcile = false;
  int64_t not_before = 0;
  int64_t queued_at = 0;
  std::optional<int64_t> started_at;
  std::string error_code;
  std::string error;
  int64_t hooks_failed = 0;
};
std::vector<Live> load_live(Database& db);
std::optional<std::string> status_of(Database& db, RunId run);
std::string error_of(Database& db, RunId run);
int64_t hooks_failed(Database& db, RunId run);
// The module's run that ended last.
std::optional<RunId> last_of(Database& db, ModuleId module);
// Whether any run of the module has succeeded; dry runs do not count.
bool has_succeeded(Database& db, ModuleId module);
// Watermarks that got their default_value because NULL was returned, though the module had succeeded before.
std::vector<std::string> defaulted_in(Database& db, RunId run);

// Accepted `run` requests since `since`, to recognise those that come again; and the newest runs' whatever their time,
// because the clock may have been set.
inline constexpr int64_t kAcceptedAnyway = 4096;
struct Accepted {
  std::string client;
  int64_t request_no;
  RunId run;
  int64_t queued_seq;
  int64_t queued_at;
};
std::vector<Accepted> accepted_since(Database& db, WallTime since);

}  // namespace pipekit::store::runs
