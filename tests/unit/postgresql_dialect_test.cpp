// The scripts of FENCE.md in full, so that a reader sees the SQL, and any change of it.
#include <gtest/gtest.h>

#include "worker/dialect/postgresql.h"

namespace pipekit::worker {
namespace {

using std::chrono::seconds;

const FenceKey kKey{"orders", "sales.orders", "S", 42, 7};
const Dialect& kDialect = postgresql_dialect();

MergePlan plan(MergeStrategy strategy) {
  return {.strategy = strategy,
          .dest = *kDialect.table("sales.orders"),
          .staging = kDialect.staging_table(kKey),
          .columns = {"id", "doc", "v"},
          .key = strategy == MergeStrategy::kIncremental ? std::vector<std::string>{"id"} : std::vector<std::string>{},
          .staged_rows = 2};
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

constexpr auto kAnswer =
    R"(SELECT f.store, f.epoch, f.closed, m.epoch AS merged_epoch, m.row_count FROM pipekit_staging.pipekit_fence f LEFT JOIN pipekit_staging.pipekit_merged m ON m.store = 'S' AND m.module = 'orders' AND m.run = 42 WHERE f.module = 'orders' AND f.dest = 'sales.orders';
)";

TEST(PostgresqlScript, setup) {
  const std::string whole = kDialect.setup_script(true);
  EXPECT_EQ(whole,
            R"(BEGIN;
SELECT pg_advisory_xact_lock(7201735);
CREATE SCHEMA IF NOT EXISTS pipekit_staging;
CREATE TABLE IF NOT EXISTS pipekit_staging.pipekit_fence (module text NOT NULL, dest text NOT NULL, store text NOT NULL, epoch bigint NOT NULL, closed smallint NOT NULL, PRIMARY KEY (module, dest));
CREATE TABLE IF NOT EXISTS pipekit_staging.pipekit_merged (store text NOT NULL, module text NOT NULL, run bigint NOT NULL, epoch bigint NOT NULL CHECK (epoch > 0), row_count bigint NOT NULL, merged_at timestamptz NOT NULL, PRIMARY KEY (store, module, run));
COMMIT;
)");
  EXPECT_EQ(kDialect.setup_script(false), replaced(whole, "CREATE SCHEMA IF NOT EXISTS pipekit_staging;\n", ""));
}

TEST(PostgresqlScript, claim) {
  EXPECT_EQ(kDialect.claim_script(kKey, seconds{60}), std::string{R"(SET application_name = 'pipekit S 42 7';
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL lock_timeout = '60s';
INSERT INTO pipekit_staging.pipekit_fence AS f (module, dest, store, epoch, closed) VALUES ('orders', 'sales.orders', 'S', 7, 0) ON CONFLICT (module, dest) DO UPDATE SET epoch = excluded.epoch, closed = 0 WHERE f.store = excluded.store AND f.epoch < excluded.epoch;
COMMIT;
DELETE FROM pipekit_staging.pipekit_merged WHERE store = 'S' AND module = 'orders' AND run < 42;
)"} + kAnswer);
}

TEST(PostgresqlScript, claim_with_a_limit_of_nothing_still_has_one) {
  EXPECT_NE(kDialect.claim_script(kKey, seconds{0}).find("lock_timeout = '1s'"), std::string::npos);
}

TEST(PostgresqlScript, close) {
  EXPECT_EQ(kDialect.close_script(kKey, seconds{60}), std::string{R"(BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL lock_timeout = '60s';
UPDATE pipekit_staging.pipekit_fence SET closed = 1 WHERE module = 'orders' AND dest = 'sales.orders' AND store = 'S' AND epoch = 7;
COMMIT;
)"} + kAnswer);
  EXPECT_EQ(kDialect.fence_script(kKey), kAnswer);
}

TEST(PostgresqlScript, take_over) {
  const FenceKey mine{"orders", "sales.orders", "T", 3, 3};
  EXPECT_EQ(kDialect.take_over_script(mine, "S", seconds{60}), std::string{R"(BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL lock_timeout = '60s';
UPDATE pipekit_staging.pipekit_fence SET store = 'T', epoch = 3, closed = 0 WHERE module = 'orders' AND dest = 'sales.orders' AND store = 'S';
COMMIT;
)"} + kDialect.fence_script(mine));
}

TEST(PostgresqlScript, holders_and_their_end) {
  EXPECT_EQ(
      kDialect.holders_script(kKey),
      R"(SELECT pid, application_name, state, now() - xact_start AS age FROM pg_stat_activity WHERE application_name LIKE 'pipekit S %' AND pid <> pg_backend_pid();
)");
  EXPECT_EQ(
      kDialect.end_session_script("pipekit S 42 6"),
      R"(SELECT CASE WHEN pg_terminate_backend(pid, 5000) THEN 1 ELSE 0 END AS ended FROM pg_stat_activity WHERE application_name = 'pipekit S 42 6' AND pid <> pg_backend_pid();
)");
}

TEST(PostgresqlScript, names_a_table_as_a_literal_in_its_inspection) {
  const auto script = kDialect.columns_script(*kDialect.table("sales.\"it's\""));
  EXPECT_NE(script.find(R"(a.attrelid = to_regclass('"sales"."it''s"') AND a.attnum > 0)"), std::string::npos)
      << script;
  EXPECT_EQ(script.find(";\n"), script.size() - 2) << "one statement";
}

TEST(PostgresqlScript, staging_is_made_and_dropped) {
  const auto p = plan(MergeStrategy::kFull);
  const std::string create =
      R"(CREATE TABLE pipekit_staging.orders_s_42_7 AS SELECT "id", "doc", "v" FROM "sales"."orders" WITH NO DATA;
)";
  EXPECT_EQ(kDialect.create_staging_script(p.staging, p.dest, {{"id", "integer"}, {"doc", ""}, {"v", "DECIMAL(10,2)"}}),
            create);
  EXPECT_EQ(
      kDialect.create_staging_script(p.staging, p.dest, {{"id", "integer"}, {"doc", ""}, {"v", "DECIMAL(10,2)"}}, true),
      R"(SET client_min_messages = 'warning';
BEGIN;
SELECT pg_advisory_xact_lock(7201735);
CREATE SCHEMA IF NOT EXISTS pipekit_staging;
COMMIT;
)" + create);
  const std::vector<TableName> lost{kDialect.staging_table({"orders", "", "S", 42, 5}),
                                    kDialect.staging_table({"orders", "", "S", 42, 6})};
  EXPECT_EQ(kDialect.drop_staging_script(lost), R"(SET client_min_messages = 'warning';
SET lock_timeout = '5s';
DROP TABLE IF EXISTS pipekit_staging.orders_s_42_5;
DROP TABLE IF EXISTS pipekit_staging.orders_s_42_6;
)");
  EXPECT_EQ(kDialect.drop_staging_script({}), "");
}

TEST(PostgresqlScript, preflight) {
  const auto p = plan(MergeStrategy::kIncremental);
  EXPECT_EQ(
      kDialect.preflight_script(p.staging, p.dest, p.key, {true, true}),
      R"(SELECT (SELECT count(*) FROM pipekit_staging.orders_s_42_7) AS staged, (SELECT count(*) FROM pipekit_staging.orders_s_42_7 AS s WHERE s."id" IS NULL) AS null_keys, (SELECT count(*) FROM (SELECT 1 FROM pipekit_staging.orders_s_42_7 AS s GROUP BY s."id" HAVING count(*) > 1) g) AS duplicate_keys, (SELECT count(*) FROM (SELECT 1 FROM pipekit_staging.orders_s_42_7 AS s JOIN "sales"."orders" AS d ON d."id" = s."id" GROUP BY d."id" HAVING count(*) > 1) g) AS ambiguous_keys, (SELECT count(*) FROM "sales"."orders") AS present;
)");
  EXPECT_EQ(
      kDialect.preflight_script(p.staging, p.dest, {}, {}),
      R"(SELECT (SELECT count(*) FROM pipekit_staging.orders_s_42_7) AS staged, 0 AS null_keys, 0 AS duplicate_keys, 0 AS ambiguous_keys, NULL AS present;
)");
}

constexpr auto kIncremental = R"(SET application_name = 'pipekit S 42 7';
SET client_connection_check_interval = '5s';
SET idle_in_transaction_session_timeout = '60s';
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL synchronous_commit = on;
UPDATE pipekit_staging.pipekit_fence SET epoch = epoch WHERE module = 'orders' AND dest = 'sales.orders' AND store = 'S' AND epoch = 7 AND closed = 0;
INSERT INTO pipekit_staging.pipekit_merged (store, module, run, epoch, row_count, merged_at) VALUES ('S', 'orders', 42, (SELECT epoch FROM pipekit_staging.pipekit_fence WHERE module = 'orders' AND dest = 'sales.orders' AND store = 'S' AND epoch = 7 AND closed = 0 AND (SELECT count(*) FROM pipekit_staging.orders_s_42_7) = 2), 2, now());
DELETE FROM "sales"."orders" AS d WHERE EXISTS (SELECT 1 FROM pipekit_staging.orders_s_42_7 AS s WHERE d."id" = s."id");
INSERT INTO "sales"."orders" ("id", "doc", "v") OVERRIDING SYSTEM VALUE SELECT "id", "doc", "v" FROM pipekit_staging.orders_s_42_7;
COMMIT;
)";

constexpr auto kDeleteMatching =
    R"(DELETE FROM "sales"."orders" AS d WHERE EXISTS (SELECT 1 FROM pipekit_staging.orders_s_42_7 AS s WHERE d."id" = s."id");
)";

TEST(PostgresqlScript, merge_incremental) {
  EXPECT_EQ(kDialect.merge_script(kKey, plan(MergeStrategy::kIncremental)), kIncremental);
}

TEST(PostgresqlScript, merge_full_and_append_differ_in_the_delete_only) {
  EXPECT_EQ(kDialect.merge_script(kKey, plan(MergeStrategy::kAppend)), replaced(kIncremental, kDeleteMatching, ""));
  auto full = plan(MergeStrategy::kFull);
  EXPECT_EQ(kDialect.merge_script(kKey, full),
            replaced(kIncremental, kDeleteMatching, "DELETE FROM \"sales\".\"orders\";\n"));
  full.truncate = true;
  EXPECT_EQ(kDialect.merge_script(kKey, full),
            replaced(kIncremental, kDeleteMatching, "TRUNCATE \"sales\".\"orders\";\n"));
}

TEST(PostgresqlScript, merge_by_update) {
  auto p = plan(MergeStrategy::kFull);
  p.key = {"id"};
  p.method = MergeMethod::kUpdate;
  const auto script = kDialect.merge_script(kKey, p);
  EXPECT_EQ(
      script.substr(script.find("DELETE FROM")),
      R"(DELETE FROM "sales"."orders" AS d WHERE d."id" IS NULL OR NOT EXISTS (SELECT 1 FROM pipekit_staging.orders_s_42_7 AS s WHERE d."id" = s."id");
UPDATE "sales"."orders" AS d SET "doc" = s."doc", "v" = s."v" FROM pipekit_staging.orders_s_42_7 AS s WHERE d."id" = s."id" AND (CAST(ROW(d."doc", d."v") AS record) OPERATOR(pg_catalog.*<>) CAST(ROW(s."doc", s."v") AS record));
INSERT INTO "sales"."orders" ("id", "doc", "v") OVERRIDING SYSTEM VALUE SELECT s."id", s."doc", s."v" FROM pipekit_staging.orders_s_42_7 AS s WHERE NOT EXISTS (SELECT 1 FROM "sales"."orders" AS d WHERE d."id" = s."id");
COMMIT;
)");
}

TEST(PostgresqlScript, merge_truncates_only_in_full) {
  auto incremental = plan(MergeStrategy::kIncremental);
  incremental.truncate = true;
  EXPECT_EQ(kDialect.merge_script(kKey, incremental), kIncremental);
}

TEST(PostgresqlScript, merge_by_a_composite_key) {
  auto p = plan(MergeStrategy::kIncremental);
  p.key = {"id", "do\"c"};
  EXPECT_NE(kDialect.merge_script(kKey, p).find(R"( WHERE d."id" = s."id" AND d."do""c" = s."do""c");)"),
            std::string::npos);
}

TEST(PostgresqlScript, merge_without_a_fence) {
  EXPECT_EQ(kDialect.merge_script_unfenced(plan(MergeStrategy::kIncremental)),
            R"(SET client_connection_check_interval = '5s';
SET idle_in_transaction_session_timeout = '60s';
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL synchronous_commit = on;
DELETE FROM "sales"."orders" AS d WHERE EXISTS (SELECT 1 FROM pipekit_staging.orders_s_42_7 AS s WHERE d."id" = s."id");
INSERT INTO "sales"."orders" ("id", "doc", "v") OVERRIDING SYSTEM VALUE SELECT "id", "doc", "v" FROM pipekit_staging.orders_s_42_7 LIMIT (SELECT CASE WHEN count(*) = 2 THEN 2 ELSE CAST('rows in staging are now ' || count(*) AS bigint) END FROM pipekit_staging.orders_s_42_7);
COMMIT;
)");
}

TEST(PostgresqlScript, values_cannot_leave_their_literal) {
  const FenceKey key{"it's \\' --", "a'b", "S", 1, 2};
  const auto claim = kDialect.claim_script(key, seconds{60});
  EXPECT_NE(claim.find(R"(VALUES (E'it''s \\'' --', 'a''b', 'S', 2, 0))"), std::string::npos) << claim;
}

struct Stderr {
  std::string text;
  bool lock_timeout = false;
  bool retryable = false;
  bool missing_fence = false;
};

TEST(PostgresqlStderr, is_told_apart) {
  const Stderr cases[]{
      {"ERROR:  canceling statement due to lock timeout\nCONTEXT:  while inserting index tuple", true},
      {"org.postgresql.util.PSQLException: FEHLER [SQLState 55P03]", true},
      {"ERROR:  deadlock detected\nDETAIL:  Process 1 waits", false, true},
      {"SQLSTATE=40P01", false, true},
      {"ERROR: could not serialize access due to concurrent update", false, true},
      {"[40001]", false, true},
      {R"(duplicate key value violates unique constraint "pg_type_typname_nsp_index")", false, true},
      {"ERROR: tuple concurrently updated", false, true},
      {R"(ERROR:  relation "pipekit_staging.pipekit_fence" does not exist)", false, false, true},
      {R"(ERROR:  relation "pipekit_staging.pipekit_merged" does not exist)", false, false, true},
      {R"(ERROR:  schema "pipekit_staging" does not exist)", false, false, true},
      {R"(ERROR:  relation "pipekit_staging.orders_s_42_7" does not exist)"},
      {R"(ERROR:  null value in column "epoch" of relation "pipekit_merged" violates not-null constraint)"},
      {R"(duplicate key value violates unique constraint "pipekit_merged_pkey")"},
      {"140001 rows, 40P012"},
      {"permission denied for schema pipekit_staging"},
      {""},
  };
  for (const auto& [text, lock_timeout, retryable, missing_fence] : cases) {
    EXPECT_EQ(kDialect.is_lock_timeout(text), lock_timeout) << text;
    EXPECT_EQ(kDialect.is_retryable(text), retryable) << text;
    EXPECT_EQ(kDialect.is_missing_fence(text), missing_fence) << text;
  }
}

}  // namespace
}  // namespace pipekit::worker
