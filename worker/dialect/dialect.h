// The SQL that differs between database engines. Each function writes one query-mode script (docs/CONTRACT.md, the
// jrunner contract) in the shape that docs/FENCE.md describes, or reads a runner's output. Pure and stateless: any
// thread, no connection, no clock. Each statement of a script ends with ";\n". At most one statement returns rows, and
// it is the last one. Exceptions are the lock that setup and create_staging take and the sequences that a merge
// advances; nobody reads their output. Values and names are quoted here. The only raw text in a script is
// TableName::sql, which only this class creates.
//
// To add an engine: derive from Dialect in a new file, return it from dialect_for(), and add its golden scripts to
// tests/unit/ and its dialogues to tests/system/.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"
#include "worker/columns.h"

namespace pipekit::worker {

enum class MergeStrategy { kFull, kIncremental, kAppend };

// How rows get into the table: DELETE and INSERT, or UPDATE of rows whose key exists and INSERT of the others.
enum class MergeMethod { kReplace, kUpdate };

struct TableName {
  std::string sql;        // qualified and quoted as needed, for scripts and for the runner's -dt
  std::string canonical;  // the same text for a table however it is written: the fence row's `dest`
};

// One attempt at a destination. `dest` is TableName::canonical of the destination.
struct FenceKey {
  std::string module;  // the module's name when it was created; a rename keeps it
  std::string dest;
  std::string store;
  int64_t run = 0;
  int64_t epoch = 0;
};

// A sequence that fills a column, as an SQL name.
struct ColumnSequence {
  std::string column;
  std::string sequence;
};

struct MergePlan {
  MergeStrategy strategy = MergeStrategy::kFull;
  TableName dest;
  TableName staging;
  std::vector<std::string> columns;  // names as the engine stores them, without generated ones
  std::vector<std::string> key;      // likewise; incremental merges and merge_method: update
  bool truncate = false;             // full only, and only where TRUNCATE can be rolled back; else DELETE
  int64_t staged_rows = 0;           // as preflight counted them; a merge that finds another number fails
  MergeMethod method = MergeMethod::kReplace;
  std::vector<ColumnSequence> sequences{};  // advanced past the values that were written
};

class Dialect {
 public:
  virtual ~Dialect() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;  // "sqlite", "postgresql"

  // Parses a table name as a user writes it: `orders`, ` sales.orders `, `"Sales"."Orders"`; kInvalid for anything
  // else. `default_schema` qualifies a name without a schema; if it is empty, the engine chooses.
  [[nodiscard]] virtual Result<TableName> table(std::string_view written,
                                                std::string_view default_schema = {}) const = 0;
  // The attempt's staging table (key.dest is ignored). For a lost attempt, put its epoch into the key.
  [[nodiscard]] virtual TableName staging_table(const FenceKey& key) const = 0;

  // Creates the fence tables, and before them their schema; empty if the claim creates them itself. docs/FENCE.md, rule
  // 3: claim; if that fails, setup without the schema; if the schema is missing, setup with it; then claim again, and
  // the second answer counts.
  [[nodiscard]] virtual std::string setup_script(bool with_schema) const = 0;
  // claim, close, fence and take_over end with the same SELECT: store, epoch, closed, merged_epoch, row_count
  // (worker/fence.h reads it). They stop waiting for the row's lock after `limit`, with an error that
  // is_lock_timeout() recognises. SQLite locks the file: the run's timeout applies and `limit` is not used.
  [[nodiscard]] virtual std::string claim_script(const FenceKey& key, std::chrono::seconds limit) const = 0;
  [[nodiscard]] virtual std::string close_script(const FenceKey& key, std::chrono::seconds limit) const = 0;
  // Only that SELECT: who holds the fence while a claim waits for a lock. It proves nothing about a merge.
  [[nodiscard]] virtual std::string fence_script(const FenceKey& key) const = 0;
  // At an operator's request: `from_store`'s row becomes key.store's, at key.epoch.
  [[nodiscard]] virtual std::string take_over_script(const FenceKey& key, std::string_view from_store,
                                                     std::chrono::seconds limit) const = 0;

  // The session name of claims and merges in the server's list of sessions; empty if the engine has no such list.
  [[nodiscard]] virtual std::string session_name(const FenceKey& key) const = 0;
  // Sessions of this store's attempts: pid, application_name, state, age. Nothing if the engine cannot list or end
  // sessions.
  [[nodiscard]] virtual std::optional<std::string> holders_script(const FenceKey& key) const = 0;
  // Ends the session with that name. One row per session found, with `ended` 1 or 0.
  [[nodiscard]] virtual std::optional<std::string> end_session_script(std::string_view session_name) const = 0;

  // One row per column, in order: name, type, generated, nullable, has_default (the last three 0 or 1). Then, by
  // `kind`, one row per thing that depends on the table or fills it (references, triggers, rules, inheriting tables,
  // sequences). No rows when there is no such table. worker/columns.h reads it.
  [[nodiscard]] virtual std::string columns_script(const TableName& table) const = 0;
  // An empty, durable table with these columns of dest. `with_schema` creates the staging schema first. It is only for
  // connections with fence: none, where no claim has created it, and only after an attempt without it failed
  // (is_missing_fence): CREATE SCHEMA IF NOT EXISTS needs a privilege that the role may lack when an administrator
  // created the schema.
  [[nodiscard]] virtual std::string create_staging_script(const TableName& staging, const TableName& dest,
                                                          const std::vector<Column>& columns,
                                                          bool with_schema = false) const = 0;
  [[nodiscard]] virtual std::string drop_staging_script(std::span<const TableName> staging) const = 0;
  // One row: staged, null_keys, duplicate_keys, ambiguous_keys, present. Without a key the middle three are 0.
  struct Counts {
    bool present = false;    // all rows of the destination (max_shrink_pct); else NULL
    bool ambiguous = false;  // keys that several rows of the destination have (merge_method: update); else 0
  };
  [[nodiscard]] virtual std::string preflight_script(const TableName& staging, const TableName& dest,
                                                     const std::vector<std::string>& key, Counts counts) const = 0;

  // One transaction. A call that did not exit 0 has an unknown outcome: close, then believe the answer (FENCE.md rule
  // 6).
  [[nodiscard]] virtual std::string merge_script(const FenceKey& key, const MergePlan& plan) const = 0;
  // For fence: none. Fails without changing the destination if staging no longer has plan.staged_rows rows.
  [[nodiscard]] virtual std::string merge_script_unfenced(const MergePlan& plan) const = 0;

  // These classify a failed call by the runner's stderr: the engine's English message or its SQLSTATE. They do not
  // recognise messages in other languages without a SQLSTATE.
  [[nodiscard]] virtual bool is_lock_timeout(std::string_view stderr_text) const = 0;
  // Deadlock, serialisation failure, or a race between two setups. Setup, claim and close are repeated, a merge never.
  [[nodiscard]] virtual bool is_retryable(std::string_view stderr_text) const = 0;
  // Which privilege to grant when a claim failed for lack of it; else empty.
  [[nodiscard]] virtual std::string missing_right(std::string_view stderr_text) const = 0;
  // The database refused the merge because other rows refer to those that it deletes.
  [[nodiscard]] virtual bool is_referenced(std::string_view stderr_text) const = 0;
  // The fence tables or their schema do not exist.
  [[nodiscard]] virtual bool is_missing_fence(std::string_view stderr_text) const = 0;
};

// Chosen by the URL's prefix, jdbc:sqlite: or jdbc:postgresql:. nullptr for any other engine.
const Dialect* dialect_for(std::string_view jdbc_url);

}  // namespace pipekit::worker
