// `runs list` and `schedule audit`: the newest rows that pass the filters given, in a time that does not grow with the
// history. Reads the store; any thread with a connection of its own.
//
//   by module   along the chain of its runs (run_log.previous_run), also of a module that was removed
//   by status   live ones and those that did not succeed have an index; the newest that succeeded are among the newest
//   by time     ids are given in the order of queueing, so the first run since then is found by halving
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/store/database.h"
#include "shared/error.h"

namespace pipekit::run_list {

struct Filter {
  std::optional<std::vector<int64_t>> modules;  // ids; more than one where removed modules had the same name
  std::string status;                           // empty: any
  std::optional<int64_t> since_ms;              // queued then or later
  std::optional<int64_t> before;                // run id
  int64_t limit = 50;
};

// Newest first.
std::vector<int64_t> find(store::Database& db, const Filter& filter);

// The first run that was queued at `since` or later. Where the clock was set back, ids and times disagree: up to
// kClockSlack runs before that point are looked at as well.
inline constexpr int64_t kClockSlack = 1000;
int64_t first_since(store::Database& db, int64_t since_ms);

// kInvalid for a word that no run can have.
Result<void> check_status(const std::string& status);

// A module's id, or those of removed modules that once had this name or id. The error names the nearest.
Result<std::vector<int64_t>> modules_named(store::Database& db, const Json& ref);

// (schedule, scheduled time) of the newest ledger rows, newest first; of these schedules, or of all.
std::vector<std::pair<int64_t, int64_t>> newest_fires(store::Database& db,
                                                      const std::optional<std::vector<int64_t>>& schedules,
                                                      int64_t limit);

}  // namespace pipekit::run_list
