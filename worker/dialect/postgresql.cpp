#include "worker/dialect/postgresql.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "worker/dialect/fence_sql.h"
#include "worker/dialect/quoting.h"
#include "worker/dialect/script.h"
#include "worker/dialect/table_name.h"

namespace pipekit::worker {
namespace {

constexpr size_t kMaxName = 63;  // NAMEDATALEN - 1; longer names are cut without an error

constexpr FenceSql kFence{
    {"pipekit_staging.pipekit_fence", "pipekit_staging.pipekit_merged", "now()", quote_literal_escaping}};

// IF NOT EXISTS alone can race. The lock's SELECT returns rows before the script's end; nobody reads setup's output.
constexpr std::string_view kSetupLock = "SELECT pg_advisory_xact_lock(7201735)";
constexpr std::string_view kCreateSchema = "CREATE SCHEMA IF NOT EXISTS pipekit_staging";
constexpr std::string_view kCreateFence =
    "CREATE TABLE IF NOT EXISTS pipekit_staging.pipekit_fence (module text NOT NULL, dest text NOT NULL, store text "
    "NOT "
    "NULL, epoch bigint NOT NULL, closed smallint NOT NULL, PRIMARY KEY (module, dest))";
constexpr std::string_view kCreateMerged =
    "CREATE TABLE IF NOT EXISTS pipekit_staging.pipekit_merged (store text NOT NULL, module text NOT NULL, run bigint "
    "NOT "
    "NULL, epoch bigint NOT NULL CHECK (epoch > 0), row_count bigint NOT NULL, merged_at timestamptz NOT NULL, PRIMARY "
    "KEY "
    "(store, module, run))";

// IF EXISTS and IF NOT EXISTS print a NOTICE that is of no use to people.
constexpr std::string_view kQuiet = "SET client_min_messages = 'warning'";

// Explicit, because with a role's default of REPEATABLE READ the wait for the fence row would fail with error 40001.
constexpr std::string_view kBegin = "BEGIN ISOLATION LEVEL READ COMMITTED";

std::string lock_timeout(std::chrono::seconds limit) {
  return fmt::format("SET LOCAL lock_timeout = '{}s'", std::max<int64_t>(limit.count(), 1));  // 0 would mean no limit
}

std::string set_session_name(std::string_view name) { return "SET application_name = " + quote_literal_escaping(name); }

// Compares record images. This works for types without an equality operator (json), treats NULLs as equal, and sees
// differences that equality does not (1.0 and 1.00, two boxes of the same area). Without the casts PostgreSQL would
// compare column by column.
std::string differs(const MergePlan& plan) {
  const auto values = values_of(plan);
  return fmt::format("CAST(ROW({}) AS record) OPERATOR(pg_catalog.*<>) CAST(ROW({}) AS record)",
                     column_list(values, "d"), column_list(values, "s"));
}

std::string not_in_staging(const MergePlan& plan) {
  return fmt::format("NOT EXISTS (SELECT 1 FROM {} AS s WHERE {})", plan.staging.sql, equal_keys(plan.key));
}

std::string delete_statement(const MergePlan& plan) {
  if (plan.strategy == MergeStrategy::kAppend) return {};
  if (plan.method == MergeMethod::kUpdate) {
    return plan.strategy == MergeStrategy::kFull ? delete_missing(plan, not_in_staging(plan)) : std::string{};
  }
  if (plan.strategy == MergeStrategy::kIncremental) return delete_matching(plan);
  return (plan.truncate ? "TRUNCATE " : "DELETE FROM ") + plan.dest.sql;
}

std::string update_statement(const MergePlan& plan) {
  return plan.method == MergeMethod::kUpdate ? update_matching(plan, differs(plan)) : std::string{};
}

// OVERRIDING: otherwise a column GENERATED ALWAYS AS IDENTITY refuses values. Without such a column it has no effect.
std::string insert_statement(const MergePlan& plan) {
  const auto columns = column_list(plan.columns);
  if (plan.method == MergeMethod::kReplace) {
    return fmt::format("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}", plan.dest.sql, columns, columns,
                       plan.staging.sql);
  }
  return fmt::format(
      "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {} AS s WHERE NOT EXISTS (SELECT 1 FROM {} AS d "
      "WHERE "
      "{})",
      plan.dest.sql, columns, column_list(plan.columns, "s"), plan.staging.sql, plan.dest.sql, equal_keys(plan.key));
}

// Advances a sequence past the written values, so that the next INSERT gets a free one. Sequences are not
// transactional, and other sessions use them at the same time. A short distance is covered with nextval(), which can
// never go backwards. A long distance is one setval(); it would go backwards only if another session took that many
// values between the reading and the setval(). A sequence that was never used counts as one step before its start.
std::string advance(const ColumnSequence& filled, const MergePlan& plan) {
  constexpr std::string_view kAdvance =
      "SELECT CASE WHEN abs(q.seqincrement) = 1 AND w.steps <= 1000 THEN (SELECT count(nextval({0})) FROM "
      "generate_series(1, w.steps::bigint)) ELSE setval({0}, t.target::bigint) END FROM (SELECT max({1})::numeric AS "
      "highest, min({1})::numeric AS lowest FROM {2}) AS v CROSS JOIN pg_catalog.pg_sequence AS q CROSS JOIN LATERAL "
      "(SELECT CASE WHEN q.seqincrement > 0 AND v.highest >= q.seqmin THEN least(v.highest, q.seqmax) WHEN "
      "q.seqincrement < 0 AND v.lowest <= q.seqmax THEN greatest(v.lowest, q.seqmin) END AS target) AS t CROSS JOIN "
      "LATERAL (SELECT (t.target - coalesce(pg_sequence_last_value({0}), q.seqstart::numeric - q.seqincrement)) * "
      "sign(q.seqincrement)::numeric AS steps) AS w WHERE q.seqrelid = {0}::oid AND w.steps > 0";
  return fmt::format(kAdvance, quote_literal_escaping(filled.sequence) + "::regclass", quote_identifier(filled.column),
                     plan.staging.sql);
}

void write_rows(Script& script, const MergePlan& plan, const std::string& insert) {
  script << delete_statement(plan) << update_statement(plan) << insert;
  for (const auto& filled : plan.sequences) script << advance(filled, plan);
}

// What a merge has to know about its table, the table's partitions and inheriting tables, and the tables below an
// updatable view. References have one row per referenced column. A sequence that the role may not advance is a
// closed_sequence.
constexpr std::string_view kInspection =
    "WITH RECURSIVE tree(oid) AS (SELECT to_regclass({0})::oid UNION SELECT x.oid FROM tree CROSS JOIN LATERAL (SELECT "
    "i.inhrelid AS oid FROM pg_inherits i WHERE i.inhparent = tree.oid UNION ALL SELECT d.refobjid FROM pg_rewrite r "
    "JOIN "
    "pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass "
    "WHERE "
    "r.ev_class = tree.oid AND r.rulename = '_RETURN' AND NOT EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = "
    "tree.oid AND g.tgtype & 64 <> 0)) AS x) "
    "SELECT name, type, generated, nullable, has_default, kind, member, on_delete, on_update FROM ("
    "SELECT 1 AS part, a.attnum::int AS place, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, "
    "CASE "
    "WHEN a.attgenerated = '' THEN 0 ELSE 1 END AS generated, CASE WHEN a.attnotnull THEN 0 ELSE 1 END AS nullable, "
    "CASE "
    "WHEN a.atthasdef OR a.attidentity <> '' THEN 1 ELSE 0 END AS has_default, CASE WHEN a.attidentity = 'a' THEN "
    "'identity' ELSE 'column' END AS kind, NULL::text AS member, NULL::text AS on_delete, NULL::text AS on_update FROM "
    "pg_attribute a WHERE a.attrelid = to_regclass({0}) AND a.attnum > 0 AND NOT a.attisdropped "
    "UNION ALL SELECT 2, r.place::int, c.conrelid::regclass::text, NULL, 0, 0, 0, CASE WHEN c.conrelid IN (SELECT oid "
    "FROM "
    "tree) THEN 'self_reference' ELSE 'reference' END, k.attname::text, CASE c.confdeltype WHEN 'c' THEN 'cascade' "
    "WHEN "
    "'n' THEN 'set null' WHEN 'd' THEN 'set default' ELSE 'no action' END, CASE c.confupdtype WHEN 'c' THEN 'cascade' "
    "WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default' ELSE 'no action' END FROM pg_constraint c CROSS JOIN LATERAL "
    "unnest(c.confkey) WITH ORDINALITY AS r(attnum, place) JOIN pg_attribute k ON k.attrelid = c.confrelid AND "
    "k.attnum = "
    "r.attnum WHERE c.contype = 'f' AND c.confrelid IN (SELECT oid FROM tree) AND NOT EXISTS (SELECT 1 FROM "
    "pg_constraint "
    "p WHERE p.oid = c.conparentid AND p.confrelid IN (SELECT oid FROM tree)) "
    "UNION ALL SELECT 3, 0, g.tgname::text, NULL, 0, 0, 0, e.kind, g.tgrelid::regclass::text, NULL, NULL FROM "
    "pg_trigger g "
    "JOIN (VALUES (8, 'delete_trigger'), (32, 'truncate_trigger')) AS e(bit, kind) ON g.tgtype & e.bit <> 0 WHERE "
    "g.tgrelid "
    "IN (SELECT oid FROM tree) AND g.tgtype & 64 = 0 AND g.tgenabled IN ('O', 'A') AND (NOT g.tgisinternal OR "
    "g.tgparentid <> 0) AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.oid = g.tgconstraint AND c.contype = "
    "'f') "
    "UNION ALL SELECT 4, 0, r.rulename::text, NULL, 0, 0, 0, 'delete_rule', r.ev_class::regclass::text, NULL, NULL "
    "FROM "
    "pg_rewrite r JOIN pg_class t ON t.oid = r.ev_class WHERE r.ev_class IN (SELECT oid FROM tree) AND r.ev_type = '4' "
    "AND "
    "r.ev_enabled IN ('O', 'A') AND t.relkind <> 'v' "
    "UNION ALL SELECT 5, 0, i.inhrelid::regclass::text, NULL, 0, 0, 0, 'inheriting', t.oid::regclass::text, NULL, NULL "
    "FROM "
    "pg_inherits i JOIN pg_class t ON t.oid = i.inhparent WHERE i.inhparent IN (SELECT oid FROM tree) AND t.relkind = "
    "'r' "
    "UNION ALL SELECT 6, a.attnum::int, format('%I.%I', n.nspname, s.relname), NULL, 0, 0, 0, CASE WHEN "
    "has_sequence_privilege(s.oid, 'UPDATE') AND has_sequence_privilege(s.oid, 'USAGE, SELECT') THEN 'sequence' ELSE "
    "'closed_sequence' END, a.attname::text, NULL, NULL FROM pg_attribute a CROSS JOIN LATERAL (SELECT d.objid AS oid "
    "FROM "
    "pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = "
    "a.attrelid AND d.refobjsubid = a.attnum AND d.deptype = 'i' UNION SELECT d.refobjid FROM pg_attrdef f JOIN "
    "pg_depend "
    "d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass WHERE "
    "f.adrelid = "
    "a.attrelid AND f.adnum = a.attnum) AS u JOIN pg_class s ON s.oid = u.oid AND s.relkind = 'S' JOIN pg_namespace n "
    "ON "
    "n.oid = s.relnamespace JOIN pg_sequence q ON q.seqrelid = s.oid AND NOT q.seqcycle WHERE a.attrelid = "
    "to_regclass({0}) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.atttypid IN (20, 21, 23)"
    ") AS everything ORDER BY part, place, name";

// If the client is gone, the server stops at once and not at the statement's end. If the client is silent inside the
// transaction, the server rolls it back. The commit must be durable before it is reported.
void begin_merge(Script& script) {
  script << "SET client_connection_check_interval = '5s'"
         << "SET idle_in_transaction_session_timeout = '60s'";
  script << kBegin << "SET LOCAL synchronous_commit = on";
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool is_word_character(char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

// Whether the five characters occur as a separate word, as runners print them: "SQLState: 40P01", "[40P01]".
bool has_state(std::string_view text, std::string_view state) {
  for (size_t at = text.find(state); at != std::string_view::npos; at = text.find(state, at + 1)) {
    const size_t end = at + state.size();
    const bool begins = at == 0 || !is_word_character(text[at - 1]);
    if (begins && (end == text.size() || !is_word_character(text[end]))) return true;
  }
  return false;
}

class Postgresql final : public Dialect {
 public:
  [[nodiscard]] std::string_view name() const override { return "postgresql"; }

  [[nodiscard]] Result<TableName> table(std::string_view written, std::string_view default_schema) const override {
    auto parts = parse_table_name(written, "\"");
    if (parts && parts->size() == 1 && !default_schema.empty()) {
      auto schema = parse_table_name(default_schema, "\"");
      if (!schema) return schema.error();
      if (schema->size() != 1) return bad_table_name(default_schema, "a default schema is one name");
      parts->insert(parts->begin(), schema->front());
    }
    if (!parts) return parts.error();
    return from_parts(written, *parts);
  }

  [[nodiscard]] TableName staging_table(const FenceKey& key) const override {
    auto name = "pipekit_staging." + staging_stem(key, kMaxName);
    return {name, name};
  }

  [[nodiscard]] std::string setup_script(bool with_schema) const override {
    Script script;
    script << "BEGIN" << kSetupLock;
    if (with_schema) script << kCreateSchema;
    return (script << kCreateFence << kCreateMerged << "COMMIT").str();
  }

  [[nodiscard]] std::string claim_script(const FenceKey& key, std::chrono::seconds limit) const override {
    Script script;
    script << set_session_name(session_name(key)) << kBegin << lock_timeout(limit) << kFence.raise(key) << "COMMIT";
    return (script << kFence.trim(key) << kFence.answer(key)).str();
  }

  [[nodiscard]] std::string close_script(const FenceKey& key, std::chrono::seconds limit) const override {
    return (Script{} << kBegin << lock_timeout(limit) << kFence.close(key) << "COMMIT" << kFence.answer(key)).str();
  }

  [[nodiscard]] std::string fence_script(const FenceKey& key) const override {
    return (Script{} << kFence.answer(key)).str();
  }

  [[nodiscard]] std::string take_over_script(const FenceKey& key, std::string_view from_store,
                                             std::chrono::seconds limit) const override {
    Script script;
    script << kBegin << lock_timeout(limit) << kFence.take_over(key, from_store) << "COMMIT";
    return (script << kFence.answer(key)).str();
  }

  [[nodiscard]] std::string session_name(const FenceKey& key) const override {
    return fmt::format("pipekit {} {} {}", store_tag(key.store), key.run, key.epoch);
  }

  [[nodiscard]] std::optional<std::string> holders_script(const FenceKey& key) const override {
    return (Script{} << fmt::format(
                "SELECT pid, application_name, state, now() - xact_start AS age FROM pg_stat_activity "
                "WHERE application_name LIKE 'pipekit {} %' AND pid <> pg_backend_pid()",
                store_tag(key.store)))
        .str();
  }

  [[nodiscard]] std::optional<std::string> end_session_script(std::string_view session_name) const override {
    return (Script{} << fmt::format("SELECT CASE WHEN pg_terminate_backend(pid, 5000) THEN 1 ELSE 0 END AS ended FROM "
                                    "pg_stat_activity WHERE application_name = {} AND pid <> pg_backend_pid()",
                                    quote_literal_escaping(session_name)))
        .str();
  }

  [[nodiscard]] std::string columns_script(const TableName& table) const override {
    return (Script{} << fmt::format(kInspection, quote_literal_escaping(table.sql))).str();
  }

  [[nodiscard]] std::string create_staging_script(const TableName& staging, const TableName& dest,
                                                  const std::vector<Column>& columns, bool with_schema) const override {
    Script script;
    if (with_schema) script << kQuiet << "BEGIN" << kSetupLock << kCreateSchema << "COMMIT";
    script << fmt::format("CREATE TABLE {} AS SELECT {} FROM {} WITH NO DATA", staging.sql,
                          column_list(names_of(columns)), dest.sql);
    return script.str();
  }

  [[nodiscard]] std::string drop_staging_script(std::span<const TableName> staging) const override {
    if (staging.empty()) return {};
    Script script;
    script << kQuiet << "SET lock_timeout = '5s'";
    for (const auto& table : staging) script << "DROP TABLE IF EXISTS " + table.sql;
    return script.str();
  }

  [[nodiscard]] std::string preflight_script(const TableName& staging, const TableName& dest,
                                             const std::vector<std::string>& key, Counts counts) const override {
    return (Script{} << count_staged(staging, dest, key, counts, staging.sql)).str();
  }

  [[nodiscard]] std::string merge_script(const FenceKey& key, const MergePlan& plan) const override {
    Script script;
    script << set_session_name(session_name(key));
    begin_merge(script);
    script << kFence.touch(key) << kFence.record_merge(key, plan);
    write_rows(script, plan, insert_statement(plan));
    return (script << "COMMIT").str();
  }

  // The limit is evaluated once, even if staging is empty; the cast then fails with an error that shows the text.
  [[nodiscard]] std::string merge_script_unfenced(const MergePlan& plan) const override {
    const auto guarded = fmt::format(
        "{} LIMIT (SELECT CASE WHEN count(*) = {} THEN {} ELSE CAST('rows in staging are now ' || count(*) AS bigint) "
        "END "
        "FROM {})",
        insert_statement(plan), plan.staged_rows, plan.staged_rows, plan.staging.sql);
    Script script;
    begin_merge(script);
    write_rows(script, plan, guarded);
    return (script << "COMMIT").str();
  }

  [[nodiscard]] bool is_lock_timeout(std::string_view text) const override {
    return has(text, "canceling statement due to lock timeout") || has_state(text, "55P03");
  }

  [[nodiscard]] bool is_retryable(std::string_view text) const override {
    static constexpr std::array<std::string_view, 6> kMessages{
        "deadlock detected",          "could not serialize access", "pg_type_typname_nsp_index",
        "pg_namespace_nspname_index", "pg_class_relname_nsp_index", "tuple concurrently updated"};
    return has_state(text, "40P01") || has_state(text, "40001") ||
           std::ranges::any_of(kMessages, [&](std::string_view message) { return has(text, message); });
  }

  [[nodiscard]] std::string missing_right(std::string_view text) const override {
    if (!has(text, "permission denied") && !has_state(text, "42501")) return {};
    return "grant the role CREATE on the database, or make the schema pipekit_staging and grant USAGE and CREATE on it";
  }

  [[nodiscard]] bool is_referenced(std::string_view text) const override {
    if (has(text, "cannot truncate a table referenced in a foreign key constraint")) return true;
    return has(text, "violates foreign key constraint") && has(text, "update or delete on table");
  }

  [[nodiscard]] bool is_missing_fence(std::string_view text) const override {
    if (has(text, "schema \"pipekit_staging\" does not exist") || has_state(text, "3F000")) return true;
    if (has(text, "relation \"pipekit_staging.pipekit_fence\" does not exist")) return true;
    return has(text, "relation \"pipekit_staging.pipekit_merged\" does not exist");
  }

 private:
  // The canonical name omits `public`, where the default search_path finds unqualified names. With another search_path
  // two tables of one module may share a fence, which only costs time; two fences for one table would break the
  // guarantee.
  static Result<TableName> from_parts(std::string_view written, const std::vector<NamePart>& parts) {
    TableName out;
    for (const auto& part : parts) {
      if (part.text.size() > kMaxName) return bad_table_name(written, "PostgreSQL cuts names after 63 bytes");
      const auto text = part.quoted ? part.text : ascii_lower(part.text);
      const bool is_public = parts.size() == 2 && &part == &parts.front() && text == "public";
      if (!out.sql.empty()) out.sql += '.';
      if (!out.canonical.empty()) out.canonical += '.';
      out.sql += quote_identifier(text);
      if (!is_public) out.canonical += canonical_part(text);
    }
    return out;
  }
};

}  // namespace

const Dialect& postgresql_dialect() {
  static const Postgresql dialect;
  return dialect;
}

}  // namespace pipekit::worker
