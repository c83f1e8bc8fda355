#include "worker/fence.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/csv_cells.h"

namespace pipekit::worker {
namespace {

bool among(std::span<const int64_t> epochs, int64_t epoch) { return std::ranges::find(epochs, epoch) != epochs.end(); }

}  // namespace

Result<std::optional<FenceRow>> read_fence(const Csv& answer) {
  if (answer.rows.empty() && answer.column("merged_epoch")) return std::optional<FenceRow>{};
  if (answer.rows.size() != 1) {
    return Error{ErrorCode::kExecutionFailed,
                 fmt::format("the runner's answer to the fence has {} rows, one is expected", answer.rows.size()),
                 "use pipekit-jrunner, or a runner that prints what docs/CONTRACT.md says"};
  }
  CsvCells cells{answer};
  FenceRow row{cells.required_text("store"), cells.required_integer("epoch"), cells.flag("closed"),
               cells.integer("merged_epoch"), cells.integer("row_count")};
  if (row.merged_epoch) row.row_count = cells.required_integer("row_count");
  if (const auto checked = cells.check("the fence"); !checked) return checked.error();
  return std::optional{row};
}

ClaimVerdict judge_claim(const FenceRow& row, const FenceKey& key, std::span<const int64_t> earlier_epochs) {
  if (row.store != key.store) return ClaimVerdict::kOtherStore;
  if (row.epoch != key.epoch || row.closed) return ClaimVerdict::kStale;
  if (!row.merged_epoch) return ClaimVerdict::kHeld;
  return among(earlier_epochs, *row.merged_epoch) ? ClaimVerdict::kAdopt : ClaimVerdict::kLostHistory;
}

Result<std::optional<int64_t>> outcome_of(const std::optional<FenceRow>& row, const FenceKey& key,
                                          std::span<const int64_t> earlier_epochs) {
  if (!row) return std::optional<int64_t>{};
  if (row->store == key.store && row->epoch == key.epoch && !row->closed) {
    return Error{
        ErrorCode::kExecutionFailed,
        fmt::format("the fence of module {} still shows epoch {} open after it was closed", key.module, key.epoch),
        "until it is closed, the merge may still be committed"};
  }
  const bool ours = row->merged_epoch == key.epoch || (row->merged_epoch && among(earlier_epochs, *row->merged_epoch));
  return ours ? row->row_count : std::optional<int64_t>{};
}

}  // namespace pipekit::worker
