// Removal of rows that have expired, in bounded steps: each looks at a few rows, removes those that have expired, and
// returns where the next step starts. Rows that later numbers or locks are derived from stay: live runs, the newest
// row of run_log, attempt, group_run and event_chunk, the last run of each module, the newest row of each schedule.
#pragma once

#include <chrono>
#include <functional>
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

// A page is 4 KiB. SQLite keeps a list of the free ones, and searches it for each page that it returns.
// Measured: 15 µs a page with 4,000 free ones, 55 µs with 40,000, 2.3 ms with a million.
inline constexpr int64_t kPagesAtOnce = 1024;       // free beyond those wanted: time to return some
inline constexpr int64_t kLongList = 65'536;        // only of older versions' stores: the walk does not wait for it
inline constexpr int64_t kLongestList = 1'048'576;  // a longer one is left to new rows
inline constexpr std::chrono::milliseconds kVacuumTime{5};

struct FreePages {
  int64_t free = 0;
  int64_t wanted = 0;  // a share for what comes
};
FreePages free_pages(Database& db);

// Returns free pages to the file system until those wanted are left, or `over`, which is asked after each page.
Step vacuum(Database& db, const std::function<bool()>& over);

}  // namespace pipekit::store::expiry
