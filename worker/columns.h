// A destination table as Dialect::columns_script describes it: its columns, and what depends on its rows. Pure.
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
  bool always_identity = false;  // GENERATED ALWAYS AS IDENTITY: an UPDATE cannot set it
};

// A column of the table that rows of another table refer to.
struct Reference {
  std::string table;
  std::string column;
  std::string on_delete;  // cascade, set null, set default; anything else: the engine refuses the deletion
  std::string on_update;
  bool self = false;  // from the table itself
};

// What else reacts when rows are deleted.
struct Reaction {
  enum class Kind { delete_trigger, truncate_trigger, delete_rule, inheriting };
  Kind kind;
  std::string name;
};

struct Sequence {
  std::string column;
  std::string name;
  bool open = true;  // the role may advance it
};

struct TableFacts {
  std::vector<Column> columns;  // none: the table does not exist
  std::vector<Reference> references{};
  std::vector<Reaction> reactions{};
  std::vector<Sequence> sequences{};
};

// kExecutionFailed when the output is no such answer.
Result<TableFacts> read_table(const Csv& answer);

// Whether the CREATE TRIGGER statement is of one that follows or precedes DELETE (not one INSTEAD OF it), as SQLite
// keeps it.
bool is_delete_trigger(std::string_view sql);

// Those that a merge writes: all but the generated ones.
std::vector<Column> writable(std::vector<Column> columns);
std::vector<std::string> names_of(const std::vector<Column>& columns);

// The merge key as a user wrote it, as the names that the table has: an exact match, else the only one that differs in
// case alone (ASCII). kInvalid for a name that is not there, ambiguous, or given twice; the message lists the columns.
Result<std::vector<std::string>> resolve_key(const std::vector<std::string>& written,
                                             const std::vector<std::string>& columns);

}  // namespace pipekit::worker
