// Removal of what is no longer to be kept, in bounded steps: each looks at a small piece, removes what has expired of
// it, and says where the next step goes on. What later numbers or locks are derived from stays: live runs, the newest
// row of run_log, attempt, group_run and event_chunk, the last run of each module, the newest row of each schedule.
#pragma once

#include <optional>
#include <string>

#include "broker/store/database.h"
#include "shared/clock.h"

namespace pipekit::store::expiry {

// What is older than `before`, or beyond the newest `most`, has expired.
struct Limit {
  std::optional<WallTime> before;  // none: age does not matter
  int64_t most = 0;                // 0: number does not matter
};

// Behind the last row that was looked at.
struct Cursor {
  int64_t number = 0;
  std::string text;
};

struct Step {
  int64_t removed = 0;
  std::optional<Cursor> next;  // to go on with; none: nothing more has expired
};

// Runs with their attempts. Those younger than `shielded` stay whatever the limit says: their requests may come again.
Step runs(Database& db, const Cursor& from, const Limit& limit, WallTime shielded);
Step group_runs(Database& db, const Cursor& from, const Limit& limit);
Step events(Database& db, const Limit& limit);                      // and log lines: they are one sequence of numbers
Step ledger(Database& db, const Cursor& from, const Limit& limit);  // `most`: of each schedule
Step requests(Database& db, const Cursor& from, WallTime before);
Step audit(Database& db, const Limit& limit);
Step workers(Database& db, const Limit& limit);  // those that left or were lost; by age only

// Returns free pages to the file system, and leaves a share for what comes.
Step vacuum(Database& db);

}  // namespace pipekit::store::expiry
