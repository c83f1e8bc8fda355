// What differs between database engines, as text: every function writes one query-mode script (CONTRACT.md, the jrunner
// contract) in the shapes of FENCE.md, or reads what a runner printed. Pure and stateless: any thread, no connection,
// no clock. Scripts end each statement with ";\n"; at most one statement returns rows, and it is the last (but for the
// lock that setup and create_staging take, and sequences that a merge advances; nobody reads what they print). Values
// and names are quoted here; the only raw text that enters a script is TableName::sql, which only this class makes.
//
// To add an engine: derive from Dialect in a file of its own, name it in dialect_for(), and add its golden scripts to
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

// How rows get into the table: by DELETE and INSERT, or by UPDATE of those whose key is there.
enum class MergeMethod { kReplace, kUpdate };

struct TableName {
  std::string sql;        // qualified and quoted as needed: stands in scripts, and after a runner's -dt
  std::string canonical;  // one text per table however it was written: the fence row's `dest`
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
  std::vector<std::string> key;      // likewise; incremental, and whatever is updated
  bool truncate = false;             // full only, and only where TRUNCATE can be rolled back; else DELETE
  int64_t staged_rows = 0;           // what preflight counted; a merge that finds another number fails
  MergeMethod method = MergeMethod::kReplace;
  std::vector<ColumnSequence> sequences{};  // advanced past the values that were written
};

class Dialect {
 public:
  virtual ~Dialect() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;  // "sqlite", "postgresql"

  // Reads a table's name as a user wrote it: `orders`, ` sales.orders `, `"Sales"."Orders"`; anything else is kInvalid.
  // `default_schema` qualifies a name without a schema; empty leaves it to the engine.
  [[nodiscard]] virtual Result<TableName> table(std::string_view written,
                                                std::string_view default_schema = {}) const = 0;
  // The attempt's own staging table (key.dest is not looked at). Also of a lost attempt: put its epoch into the key.
  [[nodiscard]] virtual TableName staging_table(const FenceKey& key) const = 0;

  // The fence tables, and their schema before them; empty where the claim makes them itself. FENCE.md rule 3: claim; if
  // that failed, setup without the schema; if there is none, with it; claim once more, and the second answer counts.
  [[nodiscard]] virtual std::string setup_script(bool with_schema) const = 0;
  // claim, close, fence and take_over end with the same SELECT: store, epoch, closed, merged_epoch, row_count
  // (worker/fence.h reads it). They give up waiting for the row's lock after `limit`, with an error that
  // is_lock_timeout() knows; where the lock is the file's (SQLite) the limit is the run's own timeout, and `limit` is
  // not used.
  [[nodiscard]] virtual std::string claim_script(const FenceKey& key, std::chrono::seconds limit) const = 0;
  [[nodiscard]] virtual std::string close_script(const FenceKey& key, std::chrono::seconds limit) const = 0;
  // Only that SELECT: who holds the fence, while somebody else's lock is waited for. Proves nothing about a merge.
  [[nodiscard]] virtual std::string fence_script(const FenceKey& key) const = 0;
  // On an operator's word: `from_store`'s row becomes key.store's, at key.epoch.
  [[nodiscard]] virtual std::string take_over_script(const FenceKey& key, std::string_view from_store,
                                                     std::chrono::seconds limit) const = 0;

  // The name under which claim and merge run, as the server's list of sessions shows it; empty where there are none.
  [[nodiscard]] virtual std::string session_name(const FenceKey& key) const = 0;
  // Sessions of this store's attempts: pid, application_name, state, age. Nothing where sessions cannot be seen or
  // ended.
  [[nodiscard]] virtual std::optional<std::string> holders_script(const FenceKey& key) const = 0;
  // Ends the session of that name; one row per session ended, none when it was gone. The row's `ended` is 1 or 0.
  [[nodiscard]] virtual std::optional<std::string> end_session_script(std::string_view session_name) const = 0;

  // One row per column, in order: name, type, generated, nullable, has_default (the last three 0 or 1). Then, by
  // `kind`, one row per thing that depends on the table or fills it (references, triggers, rules, inheriting tables,
  // sequences). No rows when there is no such table. worker/columns.h reads it.
  [[nodiscard]] virtual std::string columns_script(const TableName& table) const = 0;
  // A durable table with these columns of dest, empty. `with_schema` makes the staging schema first: only for fence:
  // none, where no claim's setup did, and only after it failed without (is_missing_fence), because CREATE SCHEMA IF NOT
  // EXISTS asks for a right that the role may lack where an administrator made the schema.
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
  // fence: none. Still fails, leaving the destination alone, when staging no longer has plan.staged_rows rows.
  [[nodiscard]] virtual std::string merge_script_unfenced(const MergePlan& plan) const = 0;

  // What a runner's stderr says about a failed call. They read the engine's English message or its SQLSTATE; a message
  // in another language without the state is none of them.
  [[nodiscard]] virtual bool is_lock_timeout(std::string_view stderr_text) const = 0;
  // Deadlock, serialisation failure, or a race of two setups: setup, claim and close are sent again, a merge never.
  [[nodiscard]] virtual bool is_retryable(std::string_view stderr_text) const = 0;
  // What to grant, for people, where a claim failed because the role lacks a right; else empty.
  [[nodiscard]] virtual std::string missing_right(std::string_view stderr_text) const = 0;
  // The database refused the merge because other rows refer to those that it deletes.
  [[nodiscard]] virtual bool is_referenced(std::string_view stderr_text) const = 0;
  // The fence tables or their schema are not there.
  [[nodiscard]] virtual bool is_missing_fence(std::string_view stderr_text) const = 0;
};

// By the URL's prefix, jdbc:sqlite: or jdbc:postgresql:. nullptr for an engine that this version does not know.
const Dialect* dialect_for(std::string_view jdbc_url);

}  // namespace pipekit::worker
