// The scripts of FENCE.md in full, so that a reader sees the SQL, and any change of it.
#include <gtest/gtest.h>

#include "worker/dialect/sqlite.h"

namespace pipekit::worker {
namespace {

using std::chrono::seconds;

const FenceKey kKey{"orders", "orders", "S", 42, 7};
const Dialect& kDialect = sqlite_dialect();

MergePlan plan(MergeStrategy strategy) {
  return {.strategy = strategy,
          .dest = *kDialect.table("orders"),
          .staging = kDialect.staging_table(kKey),
          .columns = {"id", "doc", "v"},
          .key = strategy == MergeStrategy::kIncremental ? std::vector<std::string>{"id"} : std::vector<std::string>{},
          .staged_rows = 2};
}

constexpr auto kAnswer =
    R"(SELECT f.store, f.epoch, f.closed, m.epoch AS merged_epoch, m.row_count FROM pipekit_staging__fence f LEFT JOIN pipekit_staging__merged m ON m.store = 'S' AND m.module = 'orders' AND m.run = 42 WHERE f.module = 'orders' AND f.dest = 'orders';
)";

TEST(SqliteScript, setup_is_part_of_the_claim) { EXPECT_EQ(kDialect.setup_script(true), ""); }

TEST(SqliteScript, claim) {
  EXPECT_EQ(kDialect.claim_script(kKey, seconds{60}), std::string{R"(BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS pipekit_staging__fence (module TEXT NOT NULL, dest TEXT NOT NULL, store TEXT NOT NULL, epoch INTEGER NOT NULL, closed INTEGER NOT NULL, PRIMARY KEY (module, dest));
CREATE TABLE IF NOT EXISTS pipekit_staging__merged (store TEXT NOT NULL, module TEXT NOT NULL, run INTEGER NOT NULL, epoch INTEGER NOT NULL CHECK (epoch > 0), row_count INTEGER NOT NULL, merged_at TEXT NOT NULL, PRIMARY KEY (store, module, run));
INSERT INTO pipekit_staging__fence AS f (module, dest, store, epoch, closed) VALUES ('orders', 'orders', 'S', 7, 0) ON CONFLICT (module, dest) DO UPDATE SET epoch = excluded.epoch, closed = 0 WHERE f.store = excluded.store AND f.epoch < excluded.epoch;
DELETE FROM pipekit_staging__merged WHERE store = 'S' AND module = 'orders' AND run < 42;
COMMIT;
)"} + kAnswer);
}

TEST(SqliteScript, close) {
  EXPECT_EQ(kDialect.close_script(kKey, seconds{60}), std::string{R"(BEGIN IMMEDIATE;
UPDATE pipekit_staging__fence SET closed = 1 WHERE module = 'orders' AND dest = 'orders' AND store = 'S' AND epoch = 7;
COMMIT;
)"} + kAnswer);
  EXPECT_EQ(kDialect.fence_script(kKey), kAnswer);
}

TEST(SqliteScript, take_over) {
  const FenceKey mine{"orders", "orders", "T", 3, 3};
  EXPECT_EQ(kDialect.take_over_script(mine, "S", seconds{60}), std::string{R"(BEGIN IMMEDIATE;
UPDATE pipekit_staging__fence SET store = 'T', epoch = 3, closed = 0 WHERE module = 'orders' AND dest = 'orders' AND store = 'S';
COMMIT;
)"} + kDialect.fence_script(mine));
}

TEST(SqliteScript, has_no_sessions_to_see_or_end) {
  EXPECT_EQ(kDialect.holders_script(kKey), std::nullopt);
  EXPECT_EQ(kDialect.end_session_script("pipekit S 42 6"), std::nullopt);
}

TEST(SqliteScript, names_a_table_as_a_literal_in_its_inspection) {
  const auto script = kDialect.columns_script(*kDialect.table("\"it's \"\"x\"\"\""));
  EXPECT_NE(script.find(R"(FROM pragma_table_xinfo('it''s "x"') WHERE hidden <> 1)"), std::string::npos) << script;
  EXPECT_EQ(script.find(";\n"), script.size() - 2) << "one statement";
}

TEST(SqliteScript, staging_is_made_and_dropped) {
  const auto p = plan(MergeStrategy::kFull);
  EXPECT_EQ(kDialect.create_staging_script(p.staging, p.dest, {{"id", "integer"}, {"doc", ""}, {"v", "DECIMAL(10,2)"}}),
            R"x(CREATE TABLE pipekit_staging__orders_s_42_7 ("id" "integer", "doc", "v" "DECIMAL(10,2)");
)x");
  const std::vector<TableName> lost{kDialect.staging_table({"orders", "", "S", 42, 5}),
                                    kDialect.staging_table({"orders", "", "S", 42, 6})};
  EXPECT_EQ(kDialect.drop_staging_script(lost), R"(DROP TABLE IF EXISTS pipekit_staging__orders_s_42_5;
DROP TABLE IF EXISTS pipekit_staging__orders_s_42_6;
)");
}

TEST(SqliteScript, preflight) {
  const auto p = plan(MergeStrategy::kIncremental);
  EXPECT_EQ(
      kDialect.preflight_script(p.staging, p.dest, {"id", "doc"}, {true, false}),
      R"(SELECT (SELECT count(*) FROM pipekit_staging__orders_s_42_7) AS staged, (SELECT count(*) FROM pipekit_staging__orders_s_42_7 AS s WHERE s."id" IS NULL OR s."doc" IS NULL) AS null_keys, (SELECT count(*) FROM (SELECT 1 FROM (SELECT "id", "doc" FROM "orders" WHERE 0 UNION ALL SELECT "id", "doc" FROM pipekit_staging__orders_s_42_7) AS s GROUP BY s."id", s."doc" HAVING count(*) > 1) g) AS duplicate_keys, 0 AS ambiguous_keys, (SELECT count(*) FROM "orders") AS present;
)");
}

TEST(SqliteScript, merge_incremental) {
  EXPECT_EQ(kDialect.merge_script(kKey, plan(MergeStrategy::kIncremental)), R"(BEGIN IMMEDIATE;
UPDATE pipekit_staging__fence SET epoch = epoch WHERE module = 'orders' AND dest = 'orders' AND store = 'S' AND epoch = 7 AND closed = 0;
INSERT INTO pipekit_staging__merged (store, module, run, epoch, row_count, merged_at) VALUES ('S', 'orders', 42, (SELECT epoch FROM pipekit_staging__fence WHERE module = 'orders' AND dest = 'orders' AND store = 'S' AND epoch = 7 AND closed = 0 AND (SELECT count(*) FROM pipekit_staging__orders_s_42_7) = 2), 2, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
DELETE FROM "orders" AS d WHERE d."id" IN (SELECT s."id" FROM pipekit_staging__orders_s_42_7 AS s);
INSERT INTO "orders" ("id", "doc", "v") SELECT s."id", s."doc", s."v" FROM pipekit_staging__orders_s_42_7 AS s;
COMMIT;
)");
}

MergePlan update_plan(MergeStrategy strategy) {
  auto p = plan(strategy);
  p.key = {"id"};
  p.method = MergeMethod::kUpdate;
  return p;
}

TEST(SqliteScript, merge_by_update) {
  const auto script = kDialect.merge_script(kKey, update_plan(MergeStrategy::kFull));
  EXPECT_EQ(
      script.substr(script.find("DELETE FROM")),
      R"(DELETE FROM "orders" AS d WHERE d."id" IS NULL OR d."id" NOT IN (SELECT s."id" FROM pipekit_staging__orders_s_42_7 AS s);
UPDATE "orders" AS d SET "doc" = s."doc", "v" = s."v" FROM pipekit_staging__orders_s_42_7 AS s WHERE d."id" = s."id" AND (d."doc" IS NOT s."doc" COLLATE BINARY OR typeof(d."doc") <> typeof(s."doc") OR d."v" IS NOT s."v" COLLATE BINARY OR typeof(d."v") <> typeof(s."v"));
INSERT INTO "orders" ("id", "doc", "v") SELECT s."id", s."doc", s."v" FROM pipekit_staging__orders_s_42_7 AS s LEFT JOIN "orders" AS d ON d."id" = s."id" WHERE d."id" IS NULL;
COMMIT;
)");
  const auto incremental = kDialect.merge_script(kKey, update_plan(MergeStrategy::kIncremental));
  EXPECT_EQ(incremental.find("DELETE"), std::string::npos);
}

TEST(SqliteScript, merge_by_a_composite_key) {
  auto p = plan(MergeStrategy::kIncremental);
  p.key = {"id", "do\"c"};
  EXPECT_NE(
      kDialect.merge_script(kKey, p).find(
          R"( WHERE (d."id", d."do""c") IN (SELECT s."id", s."do""c" FROM pipekit_staging__orders_s_42_7 AS s);)"),
      std::string::npos);
}

TEST(SqliteScript, merge_full_deletes_everything_also_with_truncate) {
  auto full = plan(MergeStrategy::kFull);
  const auto script = kDialect.merge_script(kKey, full);
  EXPECT_NE(script.find("\nDELETE FROM \"orders\";\nINSERT INTO \"orders\" "), std::string::npos) << script;
  full.truncate = true;
  EXPECT_EQ(kDialect.merge_script(kKey, full), script);
}

TEST(SqliteScript, merge_append_deletes_nothing) {
  const auto script = kDialect.merge_script(kKey, plan(MergeStrategy::kAppend));
  EXPECT_EQ(script.find("DELETE"), std::string::npos) << script;
}

TEST(SqliteScript, merge_without_a_fence) {
  EXPECT_EQ(kDialect.merge_script_unfenced(plan(MergeStrategy::kFull)), R"(BEGIN IMMEDIATE;
DELETE FROM "orders";
INSERT INTO "orders" ("id", "doc", "v") SELECT s."id", s."doc", s."v" FROM pipekit_staging__orders_s_42_7 AS s LIMIT (SELECT CASE WHEN count(*) = 2 THEN 2 ELSE 'rows in staging have changed' END FROM pipekit_staging__orders_s_42_7);
COMMIT;
)");
}

TEST(SqliteStderr, is_told_apart) {
  EXPECT_TRUE(kDialect.is_lock_timeout("error: database is locked"));
  EXPECT_TRUE(kDialect.is_lock_timeout("[SQLITE_BUSY] The database file is locked"));
  EXPECT_FALSE(kDialect.is_lock_timeout("NOT NULL constraint failed: pipekit_staging__merged.epoch"));
  EXPECT_TRUE(kDialect.is_missing_fence("no such table: pipekit_staging__fence"));
  EXPECT_FALSE(kDialect.is_missing_fence("no such table: pipekit_staging__orders_s_42_7"));
  EXPECT_FALSE(kDialect.is_retryable("database is locked"));
}

}  // namespace
}  // namespace pipekit::worker
