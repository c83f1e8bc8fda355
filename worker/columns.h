// The columns of a destination table, read from the answer of Dialect::columns_script. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"
#include "worker/csv.h"

namespace pipekit::worker {

struct Column {
  std::string name;
  std::string type;
  bool generated = false;
  bool nullable = true;
  bool has_default = false;
};

// kExecutionFailed when the output is no such answer; an empty list means that the table does not exist.
Result<std::vector<Column>> read_columns(const Csv& answer);

// Names of those that a merge writes: all but the generated ones.
std::vector<std::string> writable(const std::vector<Column>& columns);

// The merge key as a user wrote it, as the names that the table has: an exact match, else the only one that differs in
// case alone (ASCII). kInvalid for a name that is not there, ambiguous, or given twice; the message lists the columns.
Result<std::vector<std::string>> resolve_key(const std::vector<std::string>& written,
                                             const std::vector<std::string>& columns);

}  // namespace pipekit::worker
