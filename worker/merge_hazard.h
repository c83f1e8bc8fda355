// Whether a merge would change rows of other tables, or run triggers, because of what depends on the destination's
// rows. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/error.h"
#include "worker/columns.h"
#include "worker/dialect/dialect.h"

namespace pipekit::worker {

struct MergeChoice {
  MergeStrategy strategy = MergeStrategy::kFull;
  MergeMethod method = MergeMethod::kReplace;
  bool truncate = false;
  std::vector<std::string> key{};
};

// Why this merge is refused; nothing if it only changes the destination. Plain references are not a hazard: the engine
// refuses to delete the rows that they protect.
std::optional<Error> merge_hazard(const std::string& table, const TableFacts& facts, const MergeChoice& choice);

}  // namespace pipekit::worker
