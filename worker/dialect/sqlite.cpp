#include "worker/dialect/sqlite.h"

#include <fmt/format.h>

#include "worker/dialect/fence_sql.h"
#include "worker/dialect/quoting.h"
#include "worker/dialect/script.h"
#include "worker/dialect/table_name.h"

namespace pipekit::worker {
namespace {

constexpr std::string_view kPrefix = "pipekit_staging__";
constexpr size_t kMaxStem =
    63;  // SQLite sets no limit; PostgreSQL's, so that a module's tables look the same everywhere

constexpr FenceSql kFence{
    {"pipekit_staging__fence", "pipekit_staging__merged", "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')", quote_literal}};

constexpr std::string_view kCreateFence =
    "CREATE TABLE IF NOT EXISTS pipekit_staging__fence (module TEXT NOT NULL, dest TEXT NOT NULL, store TEXT NOT NULL, "
    "epoch INTEGER NOT NULL, closed INTEGER NOT NULL, PRIMARY KEY (module, dest))";
constexpr std::string_view kCreateMerged =
    "CREATE TABLE IF NOT EXISTS pipekit_staging__merged (store TEXT NOT NULL, module TEXT NOT NULL, run INTEGER NOT "
    "NULL, "
    "epoch INTEGER NOT NULL CHECK (epoch > 0), row_count INTEGER NOT NULL, merged_at TEXT NOT NULL, "
    "PRIMARY KEY (store, module, run))";

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// IN, because it is looked up in a tree: SQLite scans staging for each row of a correlated EXISTS, without an automatic
// index (20,000 rows against 5,000: 2.1 s and 4 ms). It compares as = does, by the collation of the left side, which is
// the destination's: staging has the affinities only. A NULL in a key matches nothing.
std::string delete_by_key(const MergePlan& plan) {
  const auto key = column_list(plan.key, "d");
  return fmt::format("DELETE FROM {} AS d WHERE {} IN (SELECT {} FROM {} AS s)", plan.dest.sql,
                     plan.key.size() == 1 ? key : '(' + key + ')', column_list(plan.key, "s"), plan.staging.sql);
}

std::string delete_statement(const MergePlan& plan) {
  if (plan.strategy == MergeStrategy::kAppend) return {};
  if (plan.strategy == MergeStrategy::kIncremental) return delete_by_key(plan);
  return "DELETE FROM " +
         plan.dest.sql;  // SQLite has no TRUNCATE; this is one without a WHERE, which it optimises alike
}

// Columns are qualified: SQLite takes an unknown "name" that is not for the string 'name'.
std::string insert_statement(const MergePlan& plan) {
  return fmt::format("INSERT INTO {} ({}) SELECT {} FROM {} AS s", plan.dest.sql, column_list(plan.columns),
                     column_list(plan.columns, "s"), plan.staging.sql);
}

class Sqlite final : public Dialect {
 public:
  [[nodiscard]] std::string_view name() const override { return "sqlite"; }

  [[nodiscard]] Result<TableName> table(std::string_view written, std::string_view default_schema) const override {
    const auto parts = parse_table_name(written, "\"[`");
    if (!parts) return parts.error();
    const auto schema = parts->size() == 2 ? parts->front().text : std::string{default_schema};
    if (!schema.empty() && ascii_lower(schema) != "main") {
      return bad_table_name(written, fmt::format("SQLite has no schemas but main, and this names {}", schema));
    }
    const auto& table = parts->back().text;
    return TableName{quote_identifier(table), canonical_part(ascii_lower(table))};
  }

  [[nodiscard]] TableName staging_table(const FenceKey& key) const override {
    auto name = std::string{kPrefix} + staging_stem(key, kMaxStem);
    return {name, name};
  }

  [[nodiscard]] std::string setup_script(bool) const override { return {}; }

  [[nodiscard]] std::string claim_script(const FenceKey& key, std::chrono::seconds) const override {
    Script script;
    script << "BEGIN IMMEDIATE" << kCreateFence << kCreateMerged << kFence.raise(key) << kFence.trim(key) << "COMMIT";
    return (script << kFence.answer(key)).str();
  }

  [[nodiscard]] std::string close_script(const FenceKey& key, std::chrono::seconds) const override {
    return (Script{} << "BEGIN IMMEDIATE" << kFence.close(key) << "COMMIT" << kFence.answer(key)).str();
  }

  [[nodiscard]] std::string fence_script(const FenceKey& key) const override {
    return (Script{} << kFence.answer(key)).str();
  }

  [[nodiscard]] std::string take_over_script(const FenceKey& key, std::string_view from_store,
                                             std::chrono::seconds) const override {
    return (Script{} << "BEGIN IMMEDIATE" << kFence.take_over(key, from_store) << "COMMIT" << kFence.answer(key)).str();
  }

  [[nodiscard]] std::string session_name(const FenceKey&) const override { return {}; }
  [[nodiscard]] std::optional<std::string> holders_script(const FenceKey&) const override { return std::nullopt; }
  [[nodiscard]] std::optional<std::string> end_session_script(std::string_view) const override { return std::nullopt; }

  // hidden: 2 and 3 are generated columns, 1 a virtual table's own.
  [[nodiscard]] std::string columns_script(const TableName& table) const override {
    return (Script{} << fmt::format(
                "SELECT name, type, CASE WHEN hidden IN (2, 3) THEN 1 ELSE 0 END AS generated, CASE WHEN \"notnull\" = "
                "0 "
                "THEN 1 ELSE 0 END AS nullable, CASE WHEN dflt_value IS NULL THEN 0 ELSE 1 END AS has_default FROM "
                "pragma_table_xinfo({}) WHERE hidden <> 1 ORDER BY cid",
                quote_literal(unquoted(table))))
        .str();
  }

  // AS SELECT … LIMIT 0 keeps affinities, and not constraints, which the merge is to meet and not the load.
  [[nodiscard]] std::string create_staging_script(const TableName& staging, const TableName& dest,
                                                  const std::vector<std::string>& columns, bool) const override {
    return (Script{} << fmt::format("CREATE TABLE {} AS SELECT {} FROM {} AS d LIMIT 0", staging.sql,
                                    column_list(columns, "d"), dest.sql))
        .str();
  }

  [[nodiscard]] std::string drop_staging_script(std::span<const TableName> staging) const override {
    Script script;
    for (const auto& table : staging) script << "DROP TABLE IF EXISTS " + table.sql;
    return script.str();
  }

  [[nodiscard]] std::string preflight_script(const TableName& staging, const TableName& dest,
                                             const std::vector<std::string>& key, bool count_present) const override {
    return (Script{} << count_staged(staging, dest, key, count_present)).str();
  }

  [[nodiscard]] std::string merge_script(const FenceKey& key, const MergePlan& plan) const override {
    Script script;
    script << "BEGIN IMMEDIATE" << kFence.touch(key) << kFence.record_merge(key, plan);
    return (script << delete_statement(plan) << insert_statement(plan) << "COMMIT").str();
  }

  // The limit is evaluated once, also for an empty staging table, and text there is an error: datatype mismatch.
  [[nodiscard]] std::string merge_script_unfenced(const MergePlan& plan) const override {
    const auto guarded =
        fmt::format("{} LIMIT (SELECT CASE WHEN count(*) = {} THEN {} ELSE 'rows in staging have changed' END FROM {})",
                    insert_statement(plan), plan.staged_rows, plan.staged_rows, plan.staging.sql);
    return (Script{} << "BEGIN IMMEDIATE" << delete_statement(plan) << guarded << "COMMIT").str();
  }

  [[nodiscard]] bool is_lock_timeout(std::string_view text) const override {
    return has(text, "database is locked") || has(text, "database table is locked") || has(text, "SQLITE_BUSY");
  }
  [[nodiscard]] bool is_retryable(std::string_view) const override { return false; }
  [[nodiscard]] std::string missing_right(std::string_view) const override { return {}; }
  [[nodiscard]] bool is_missing_fence(std::string_view text) const override {
    return has(text, "no such table: pipekit_staging__fence") || has(text, "no such table: pipekit_staging__merged");
  }

 private:
  static std::string unquoted(const TableName& table) {
    const auto parts = parse_table_name(table.sql, "\"");
    return parts ? parts->back().text : table.sql;
  }
};

}  // namespace

const Dialect& sqlite_dialect() {
  static const Sqlite dialect;
  return dialect;
}

}  // namespace pipekit::worker
