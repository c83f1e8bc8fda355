// Reads the answer of claim, close, fence and take_over scripts, and decides by it (FENCE.md rule 4). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "shared/error.h"
#include "worker/csv.h"
#include "worker/dialect/dialect.h"

namespace pipekit::worker {

struct FenceRow {
  std::string store;
  int64_t epoch = 0;
  bool closed = false;
  std::optional<int64_t> merged_epoch;  // an attempt of the key's run has merged, and this was it
  std::optional<int64_t> row_count;     // what it merged
};

// kExecutionFailed when the output is not one row of those columns. nullopt: there is no row for this module and table
// (never the answer of a claim that exited 0).
Result<std::optional<FenceRow>> read_fence(const Csv& answer);

enum class ClaimVerdict {
  kHeld,         // mine, and the run has not merged: go on
  kAdopt,        // mine, and an earlier attempt of this run has merged: take row_count and go on at the hooks
  kStale,        // this store has a newer attempt, or this attempt is closed: end, touch nothing
  kOtherStore,   // error other_store, until an operator takes the row over
  kLostHistory,  // the run's row is of an epoch that is no earlier attempt of it: the store was put back from a copy
};

// `earlier_epochs`: the run's attempts before key.epoch, as the assignment lists them. Whether a higher epoch was ever
// issued by this store the broker knows; here it is kStale.
ClaimVerdict judge_claim(const FenceRow& row, const FenceKey& key, std::span<const int64_t> earlier_epochs);

// By the answer of a close that exited 0: how many rows the key's run has merged, in this attempt or an earlier one;
// nullopt when it has not, and cannot any more. kExecutionFailed when the answer shows the epoch still open, which
// proves nothing.
Result<std::optional<int64_t>> outcome_of(const std::optional<FenceRow>& row, const FenceKey& key,
                                          std::span<const int64_t> earlier_epochs);

}  // namespace pipekit::worker
