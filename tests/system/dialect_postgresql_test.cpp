// Features that only PostgreSQL has: limits for waiting, sessions that can be ended, roles, and settings of a role.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/system/destination.h"
#include "worker/columns.h"

namespace pipekit::test {
namespace {

using testing::HasSubstr;

const std::string kMerged = "1|10|old\n2|20|new\n3|20|new\n4|20|new";

TEST(PostgresqlFence, gives_up_waiting_after_the_limit) {
  Destination there{new_postgres_database()};
  const auto old = there.key(42, 7);
  there.claim(old);
  auto merging = there.database().connect();
  ASSERT_TRUE(merging->run_until_commit(there.dialect().merge_script(old, there.stage(old, "new"))).ok());
  for (const auto& script :
       {there.dialect().claim_script(there.key(42, 8), seconds{1}), there.dialect().close_script(old, seconds{1})}) {
    const auto answer = there.run(script);
    EXPECT_TRUE(there.dialect().is_lock_timeout(answer.error)) << answer.error;
    EXPECT_FALSE(there.dialect().is_retryable(answer.error)) << answer.error;
  }
  EXPECT_EQ(text_of(there.run(there.dialect().fence_script(old))), "S|7|0|NULL|NULL");
  EXPECT_TRUE(merging->rest().ok());
}

TEST(PostgresqlFence, is_freed_by_ending_the_session_that_holds_it) {
  Destination there{new_postgres_database()};
  const auto& dialect = there.dialect();
  const auto old = there.key(42, 7);
  there.claim(old);
  auto merging = there.database().connect();
  ASSERT_TRUE(merging->run_until_commit(dialect.merge_script(old, there.stage(old, "new"))).ok());

  const auto holders = there.run(*dialect.holders_script(there.key(42, 8)));
  ASSERT_EQ(holders.csv.rows.size(), 1U) << text_of(holders);
  EXPECT_EQ(holders.csv.rows[0][1], "pipekit S 42 7");
  EXPECT_EQ(holders.csv.rows[0][2], "idle in transaction");
  EXPECT_TRUE(holders.csv.column("age"));

  EXPECT_EQ(text_of(there.run(*dialect.end_session_script("pipekit S 42 70"))), "");
  EXPECT_EQ(text_of(there.run(*dialect.end_session_script(dialect.session_name(old)))), "1");
  EXPECT_EQ(text_of(there.run(*dialect.end_session_script(dialect.session_name(old)))), "");
  EXPECT_EQ(text_of(there.claim(there.key(42, 8))), "S|8|0|NULL|NULL");
  EXPECT_FALSE(merging->rest().ok());
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST(PostgresqlFence, shows_its_sessions_under_their_whole_name) {
  Destination there{new_postgres_database()};
  auto key = there.key(INT64_MAX, INT64_MAX);
  key.store = std::string(64, 's');
  auto session = there.database().connect();
  EXPECT_TRUE(session->run(there.dialect().claim_script(key, seconds{60})).ok());
  EXPECT_EQ(text_of(session->run("SHOW application_name;\n")), there.dialect().session_name(key));
}

TEST(PostgresqlFence, holds_under_a_role_whose_default_isolation_is_higher) {
  for (const auto* level : {"repeatable\\\\ read", "serializable"}) {
    Destination there{new_postgres_database(std::string{"-c default_transaction_isolation="} + level)};
    const auto old = there.key(42, 7);
    EXPECT_EQ(text_of(there.claim(old)), "S|7|0|NULL|NULL");
    auto merging = there.database().connect();
    ASSERT_TRUE(merging->run_until_commit(there.dialect().merge_script(old, there.stage(old, "new"))).ok());
    const auto claiming = there.database().connect()->run(there.dialect().claim_script(there.key(42, 8), seconds{60}),
                                                          [&] { EXPECT_TRUE(merging->rest().ok()); });
    EXPECT_EQ(text_of(claiming), "S|8|0|7|3");
    EXPECT_EQ(there.rows(), kMerged);
  }
}

TEST(PostgresqlFence, holds_where_a_backslash_escapes) {
  Destination there{new_postgres_database("-c standard_conforming_strings=off -c escape_string_warning=off")};
  const auto key = there.key(42, 7, R"(\'; DROP TABLE orders; --\)");
  EXPECT_EQ(text_of(there.claim(key)), "S|7|0|NULL|NULL");
  EXPECT_TRUE(there.merge(key, there.stage(key, "new")).ok());
  EXPECT_EQ(text_of(there.run("SELECT module FROM pipekit_staging.pipekit_fence;\n")), key.module);
  EXPECT_EQ(there.rows(), kMerged);
}

TEST(PostgresqlFence, needs_no_right_to_create_where_an_administrator_made_it) {
  Destination there{new_postgres_database()};
  there.must(
      "DROP ROLE IF EXISTS loader;\nCREATE ROLE loader;\nGRANT ALL ON orders TO loader;\nGRANT USAGE ON SCHEMA "
      "pipekit_staging TO loader;\n"
      "GRANT ALL ON ALL TABLES IN SCHEMA pipekit_staging TO loader;\n");
  const auto as_loader = [&](const std::string& script) { return there.run("SET ROLE loader;\n" + script); };
  EXPECT_THAT(as_loader(there.dialect().setup_script(true)).error, HasSubstr("permission denied"));
  const auto key = there.key(42, 7);
  EXPECT_EQ(text_of(as_loader(there.dialect().claim_script(key, seconds{60}))), "S|7|0|NULL|NULL");
}

TEST(PostgresqlSetup, needs_no_right_on_the_database_where_the_schema_stands) {
  auto database = new_postgres_database();
  const auto& dialect = database->dialect();
  EXPECT_TRUE(dialect.is_missing_fence(database->run(dialect.setup_script(false)).error)) << "no schema yet";
  EXPECT_TRUE(database
                  ->run("CREATE SCHEMA pipekit_staging;\nDROP ROLE IF EXISTS maker;\nCREATE ROLE maker;\n"
                        "GRANT USAGE, CREATE ON SCHEMA pipekit_staging TO maker;\n")
                  .ok());
  const auto as_maker = [&](const std::string& script) { return database->run("SET ROLE maker;\n" + script); };
  EXPECT_THAT(as_maker(dialect.setup_script(true)).error, HasSubstr("permission denied for database"));
  EXPECT_TRUE(as_maker(dialect.setup_script(false)).ok());
  EXPECT_TRUE(as_maker(dialect.claim_script({"orders", "orders", "S", 42, 7}, seconds{60})).ok());
  database->run("DROP OWNED BY maker;\nDROP ROLE maker;\n");
}

TEST(PostgresqlSetup, waits_for_the_one_in_flight_and_finds_its_tables) {
  auto database = new_postgres_database();
  const auto setup = database->dialect().setup_script(true);
  auto first = database->connect();
  ASSERT_TRUE(first->run_until_commit(setup).ok());
  EXPECT_EQ(text_of(database->connect()->run(setup, [&] { EXPECT_TRUE(first->rest().ok()); })), "");
  EXPECT_EQ(text_of(database->run(setup)), "");
}

TEST(PostgresqlSetup, is_told_to_be_needed_by_the_error_of_a_claim) {
  auto database = new_postgres_database();
  const FenceKey key{"orders", "orders", "S", 42, 7};
  const auto no_schema = database->run(database->dialect().claim_script(key, seconds{60}));
  EXPECT_TRUE(database->dialect().is_missing_fence(no_schema.error)) << no_schema.error;
  EXPECT_TRUE(database->run("CREATE SCHEMA pipekit_staging;\n").ok());
  const auto no_table = database->run(database->dialect().claim_script(key, seconds{60}));
  EXPECT_TRUE(database->dialect().is_missing_fence(no_table.error)) << no_table.error;
}

TEST(PostgresqlStaging, makes_its_schema_where_no_claim_did) {
  auto database = new_postgres_database();
  const auto& dialect = database->dialect();
  EXPECT_TRUE(database->run("CREATE TABLE orders (id bigint);\n").ok());
  const auto staging = dialect.staging_table({"orders", "", "S", 42, 7});
  const auto without = database->run(dialect.create_staging_script(staging, *dialect.table("orders"), {{"id", ""}}));
  EXPECT_TRUE(dialect.is_missing_fence(without.error)) << without.error;
  EXPECT_EQ(
      text_of(database->run(dialect.create_staging_script(staging, *dialect.table("orders"), {{"id", ""}}, true))), "");
}

TEST(PostgresqlStaging, keeps_the_types_and_not_the_constraints) {
  Destination there{new_postgres_database()};
  const auto& dialect = there.dialect();
  there.must(
      "CREATE TABLE t (id bigint PRIMARY KEY, price numeric(12,2) NOT NULL DEFAULT 1, code varchar(7), at "
      "timestamptz(3));\n");
  const auto staging = dialect.staging_table(there.key(42, 7));
  there.must(dialect.create_staging_script(staging, *dialect.table("t"), there.columns_of(*dialect.table("t"))));
  constexpr std::string_view kRest = "|0|1|0|column|NULL|NULL|NULL";
  EXPECT_EQ(text_of(there.run(dialect.columns_script(staging))),
            fmt::format("id|bigint{0}\nprice|numeric(12,2){0}\ncode|character varying(7){0}\nat|timestamp(3) with time "
                        "zone{0}",
                        kRest));
}

TEST(PostgresqlMerge, writes_identity_columns) {
  Destination there{new_postgres_database()};
  const auto& dialect = there.dialect();
  there.must("CREATE SCHEMA \"Sales\";\nCREATE TABLE \"Sales\".t (id bigint GENERATED ALWAYS AS IDENTITY, v text);\n");
  const auto dest = *dialect.table("\"Sales\".T");
  auto key = there.key(42, 7);
  key.dest = dest.canonical;
  there.claim(key);
  const auto columns = worker::names_of(there.columns_of(dest));
  const MergePlan plan{MergeStrategy::kIncremental, dest, dialect.staging_table(key), columns, {"id"}, false, 1};
  there.must(dialect.create_staging_script(plan.staging, dest, there.columns_of(dest)));
  there.must("INSERT INTO " + plan.staging.sql + " VALUES (77, 'x');\n");
  EXPECT_EQ(text_of(there.merge(key, plan)), "");
  EXPECT_EQ(there.rows(dest.sql), "77|x");
}

TEST(PostgresqlMerge, that_truncated_is_undone_as_a_whole) {
  Destination there{new_postgres_database()};
  const auto key = there.key(42, 7);
  there.claim(key);
  auto plan = there.stage(key, "new", MergeStrategy::kFull);
  plan.truncate = true;
  there.must("ALTER TABLE orders ADD CHECK (v <> 'new') NOT VALID;\n");
  EXPECT_THAT(there.merge(key, plan).error, HasSubstr("check constraint"));
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST(PostgresqlMerge, never_shows_readers_an_empty_table) {
  Destination there{new_postgres_database()};
  const auto key = there.key(42, 7);
  there.claim(key);
  auto merging = there.database().connect();
  ASSERT_TRUE(
      merging->run_until_commit(there.dialect().merge_script(key, there.stage(key, "new", MergeStrategy::kFull))).ok());
  EXPECT_EQ(there.rows(), kUntouched);
  EXPECT_TRUE(merging->rest().ok());
  EXPECT_EQ(there.rows(), "2|20|new\n3|20|new\n4|20|new");
}

}  // namespace
}  // namespace pipekit::test
