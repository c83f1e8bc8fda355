// Fills a store with what years of use leave: definitions, runs with their attempts and logs, group runs, the ledger.
// The rows are those that the broker itself writes, without its turns: a million runs take a minute or two.
#pragma once

#include <cstdint>

#include "broker/store/database.h"
#include "shared/clock.h"

namespace pipekit::test {

struct StoreSize {
  int64_t modules = 10'000;
  int64_t groups = 2000;
  int64_t schedules = 5000;
  int64_t runs = 1'000'000;
  int64_t lines_per_run = 50;  // of log, in chunks of 50
  int64_t group_runs = 20'000;
  int64_t failed_percent = 1;
  int64_t removed_modules = 0;  // of those above: their runs stay
  int64_t live = 0;             // queued runs, of the first modules
  int64_t free_mib = 0;         // pages on the free list
};

// Into a store that migrate() has made. The newest run was queued a minute before `now`, the others a second apart.
void fill(store::Database& db, const StoreSize& size, WallTime now);

}  // namespace pipekit::test
