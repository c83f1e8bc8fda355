// Staging, preflight and merges of both dialects on real databases: what reaches the destination, and what does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/system/destination.h"
#include "worker/columns.h"

namespace pipekit::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Merge : public testing::TestWithParam<const char*> {
 protected:
  static std::unique_ptr<TestDatabase> make() {
    return std::string_view{GetParam()} == "sqlite" ? new_sqlite_database() : new_postgres_database();
  }

  std::string merged(MergeStrategy strategy, bool truncate = false) {
    auto plan = there.stage(key_, "new", strategy);
    plan.truncate = truncate;
    const auto answer = there.merge(key_, plan);
    return answer.ok() ? there.rows() : answer.error;
  }

  void SetUp() override { EXPECT_TRUE(there.claim(key_).ok()); }

  Destination there{make()};
  const FenceKey key_ = there.key(42, 7);
};

INSTANTIATE_TEST_SUITE_P(Engines, Merge, testing::Values("sqlite", "postgresql"),
                         [](const auto& tested) { return std::string{tested.param}; });

TEST_P(Merge, incremental_replaces_by_key) {
  EXPECT_EQ(merged(MergeStrategy::kIncremental), "1|10|old\n2|20|new\n3|20|new\n4|20|new");
}

TEST_P(Merge, full_replaces_everything) { EXPECT_EQ(merged(MergeStrategy::kFull), "2|20|new\n3|20|new\n4|20|new"); }

TEST_P(Merge, full_with_truncate_replaces_everything) {
  EXPECT_EQ(merged(MergeStrategy::kFull, true), "2|20|new\n3|20|new\n4|20|new");
}

TEST_P(Merge, full_of_nothing_empties_the_table) {
  auto plan = there.stage(key_, "new", MergeStrategy::kFull);
  there.must("DELETE FROM " + plan.staging.sql + ";\n");
  plan.staged_rows = 0;
  EXPECT_TRUE(there.merge(key_, plan).ok());
  EXPECT_EQ(there.rows(), "");
}

TEST_P(Merge, append_only_inserts) {
  there.must("DELETE FROM orders WHERE id > 1;\n");
  EXPECT_EQ(merged(MergeStrategy::kAppend), "1|10|old\n2|20|new\n3|20|new\n4|20|new");
}

TEST_P(Merge, that_violates_a_constraint_leaves_everything_as_it_was) {
  EXPECT_THAT(merged(MergeStrategy::kAppend), HasSubstr("constraint"));
  EXPECT_EQ(there.rows(), kUntouched);
  EXPECT_EQ(text_of(there.close(key_)), "S|7|1|NULL|NULL");
}

TEST_P(Merge, by_a_key_that_names_a_document_replaces_all_its_lines) {
  auto plan = there.stage(key_, "new");
  there.must("UPDATE " + plan.staging.sql + " SET doc = 10;\n");
  plan.key = {"doc"};
  EXPECT_TRUE(there.merge(key_, plan).ok());
  EXPECT_EQ(there.rows(), "2|10|new\n3|10|new\n4|10|new");
}

TEST_P(Merge, by_a_composite_key_compares_all_its_columns) {
  auto plan = there.stage(key_, "new");
  there.must(
      "DROP TABLE orders;\nCREATE TABLE orders (id integer, doc integer, v text);\n"
      "INSERT INTO orders VALUES (1, 20, 'old'), (2, 19, 'old'), (3, 20, 'old'), (NULL, 20, 'old');\n");
  plan.key = {"id", "doc"};
  EXPECT_TRUE(there.merge(key_, plan).ok());
  EXPECT_EQ(text_of(there.run("SELECT coalesce(id, 0), doc, v FROM orders ORDER BY 1, 2;\n")),
            "0|20|old\n1|20|old\n2|19|old\n2|20|new\n3|20|new\n4|20|new");
}

TEST_P(Merge, is_preceded_by_a_count_of_rows_null_keys_and_duplicates) {
  const auto plan = there.stage(key_, "new");
  there.must("INSERT INTO " + plan.staging.sql +
             " VALUES (2, 20, 'again'), (2, 21, 'x'), (NULL, 1, 'x'), (NULL, NULL, 'x'), (9, NULL, 'x');\n");
  const auto count = [&](const std::vector<std::string>& key, bool present) {
    return text_of(there.run(there.dialect().preflight_script(plan.staging, plan.dest, key, {present, false})));
  };
  EXPECT_EQ(count({"id"}, true), "8|2|2|0|3");
  EXPECT_EQ(count({"id", "doc"}, false), "8|3|1|0|NULL");
  EXPECT_EQ(count({}, true), "8|0|0|0|3");
  EXPECT_THAT(count({"nothing"}, true), HasSubstr("error: "));
}

TEST_P(Merge, without_a_fence_replaces_by_key_as_well) {
  const auto plan = there.stage(key_, "new");
  EXPECT_EQ(text_of(there.run(there.dialect().merge_script_unfenced(plan))), "");
  EXPECT_EQ(there.rows(), "1|10|old\n2|20|new\n3|20|new\n4|20|new");
}

TEST_P(Merge, without_a_fence_refuses_other_rows_than_were_verified) {
  for (const bool truncate : {false, true}) {
    for (const int64_t verified : {0, 2, 4}) {
      auto plan = there.stage(key_, "new", MergeStrategy::kFull);
      plan.truncate = truncate;
      plan.staged_rows = verified;
      EXPECT_THAT(there.run(there.dialect().merge_script_unfenced(plan)).error,
                  testing::AnyOf(HasSubstr("rows in staging are now 3"), HasSubstr("datatype mismatch")));
      EXPECT_EQ(there.rows(), kUntouched);
      there.must(there.dialect().drop_staging_script(std::vector{plan.staging}));
    }
  }
}

TEST_P(Merge, without_a_fence_refuses_a_staging_table_that_was_emptied) {
  auto plan = there.stage(key_, "new", MergeStrategy::kFull);
  there.must("DELETE FROM " + plan.staging.sql + ";\n");
  EXPECT_FALSE(there.run(there.dialect().merge_script_unfenced(plan)).ok());
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST_P(Merge, goes_through_tables_and_columns_with_odd_names) {
  const auto& dialect = there.dialect();
  const auto dest = *dialect.table(R"("Weird ""name""; x")");
  there.must("CREATE TABLE " + dest.sql + R"( ("order" integer, "sel""ect" text, "größe" text, "Group By" text);
)");
  there.must("INSERT INTO " + dest.sql + " VALUES (1, 'a', 'b', 'c'), (2, 'a', 'b', 'c');\n");
  const auto facts = worker::read_table(there.run(dialect.columns_script(dest)).csv);
  ASSERT_TRUE(facts) << facts.error().message;
  const auto names = worker::names_of(worker::writable(facts->columns));
  EXPECT_THAT(names, ElementsAre("order", "sel\"ect", "größe", "Group By"));

  FenceKey key = key_;
  key.dest = dest.canonical;
  there.claim(key);
  const auto staging = dialect.staging_table(key);
  there.must(dialect.create_staging_script(staging, dest, there.columns_of(dest)));
  there.must("INSERT INTO " + staging.sql + " VALUES (2, 'a', 'new', ''), (3, 'a', 'new', NULL);\n");
  const MergePlan plan{MergeStrategy::kIncremental, dest, staging, names, {"order", "sel\"ect"}, false, 2};
  EXPECT_EQ(text_of(there.run(dialect.preflight_script(staging, dest, plan.key, {true, true}))), "2|0|0|0|2");
  EXPECT_EQ(text_of(there.merge(key, plan)), "");
  EXPECT_EQ(there.rows(dest.sql), "1|a|b|c\n2|a|new|\n3|a|new|NULL");
}

TEST_P(Merge, leaves_generated_columns_to_the_engine) {
  const auto& dialect = there.dialect();
  const auto dest = *dialect.table("sums");
  there.must(
      "CREATE TABLE sums (a integer NOT NULL, b integer DEFAULT 5, total integer GENERATED ALWAYS AS (a + b) "
      "STORED);\n");
  const auto answer = there.run(dialect.columns_script(dest));
  EXPECT_EQ(text_of({"", {{}, {{answer.csv.rows[0][2], answer.csv.rows[0][3], answer.csv.rows[0][4]}}}}), "0|0|0");
  EXPECT_EQ(text_of({"", {{}, {{answer.csv.rows[1][2], answer.csv.rows[1][3], answer.csv.rows[1][4]}}}}), "0|1|1");
  const auto names = worker::names_of(worker::writable(worker::read_table(answer.csv)->columns));
  EXPECT_THAT(names, ElementsAre("a", "b"));

  const auto staging = dialect.staging_table(key_);
  there.must(dialect.create_staging_script(staging, dest, there.columns_of(dest)));
  there.must("INSERT INTO " + staging.sql + " VALUES (1, 2);\n");
  EXPECT_EQ(text_of(there.merge(key_, {MergeStrategy::kFull, dest, staging, names, {}, false, 1})), "");
  EXPECT_EQ(there.rows("sums"), "1|2|3");
}

TEST_P(Merge, finds_no_columns_where_there_is_no_table) {
  const auto answer = there.run(there.dialect().columns_script(*there.dialect().table("nothing")));
  EXPECT_TRUE(answer.ok()) << answer.error;
  EXPECT_THAT(answer.csv.rows, IsEmpty());
  EXPECT_THAT(worker::read_table(answer.csv)->columns, IsEmpty());
}

TEST_P(Merge, has_staging_of_the_longest_names) {
  const auto key = there.key(INT64_MAX, INT64_MAX, std::string(200, 'm'));
  there.claim(key);
  const auto plan = there.stage(key, "new");
  EXPECT_EQ(text_of(there.merge(key, plan)), "");
  there.must(there.dialect().drop_staging_script(std::vector{plan.staging}));
  EXPECT_FALSE(there.run("SELECT * FROM " + plan.staging.sql + ";\n").ok());
}

TEST_P(Merge, drops_staging_that_is_not_there_without_an_error) {
  const std::vector lost{there.dialect().staging_table(there.key(42, 5)),
                         there.dialect().staging_table(there.key(42, 6))};
  EXPECT_EQ(text_of(there.run(there.dialect().drop_staging_script(lost))), "");
}

TEST(SqliteMerge, compares_keys_by_the_destinations_collation) {
  Destination there{new_sqlite_database()};
  there.must(
      "CREATE TABLE names (name TEXT COLLATE NOCASE UNIQUE, v TEXT);\nINSERT INTO names VALUES ('Ada', 'old');\n");
  const auto& dialect = there.dialect();
  const auto key = there.key(42, 7);
  there.claim(key);
  const MergePlan plan{MergeStrategy::kIncremental,
                       *dialect.table("names"),
                       dialect.staging_table(key),
                       {"name", "v"},
                       {"name"},
                       false,
                       1};
  there.must(dialect.create_staging_script(plan.staging, plan.dest, there.columns_of(plan.dest)));
  there.must("INSERT INTO " + plan.staging.sql + " VALUES ('ADA', 'new');\n");
  EXPECT_EQ(text_of(there.merge(key, plan)), "");
  EXPECT_EQ(there.rows("names"), "ADA|new");
}

TEST(SqliteMerge, looks_keys_up_rather_than_scanning_staging_for_each_row) {
  Destination there{new_sqlite_database()};
  there.must("CREATE TABLE lines (a TEXT COLLATE NOCASE, b INTEGER, PRIMARY KEY (a, b));\n");
  const auto& dialect = there.dialect();
  const auto key = there.key(42, 7);
  MergePlan plan{MergeStrategy::kIncremental,
                 *dialect.table("lines"),
                 dialect.staging_table(key),
                 {"a", "b"},
                 {"a", "b"},
                 false,
                 0};
  there.must(dialect.create_staging_script(plan.staging, plan.dest, there.columns_of(plan.dest)));
  const auto plan_of_delete = [&] {
    const auto script = dialect.merge_script(key, plan);
    const auto begin = script.find("DELETE");
    return text_of(there.run("EXPLAIN QUERY PLAN " + script.substr(begin, script.find(";\n", begin) - begin + 2)));
  };
  EXPECT_THAT(plan_of_delete(), AllOf(HasSubstr("SEARCH d USING"), Not(HasSubstr("CORRELATED"))));
  plan.key = {"b"};
  EXPECT_THAT(plan_of_delete(), AllOf(HasSubstr("LIST SUBQUERY"), Not(HasSubstr("CORRELATED"))));
}

TEST(SqliteStaging, has_the_declared_types_and_none_of_a_strict_tables_any) {
  Destination there{new_sqlite_database()};
  const auto& dialect = there.dialect();
  there.must(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATE, v \"odd) ; --\", w UNSIGNED BIG INT(8), x);\n"
      "CREATE TABLE s (id INTEGER PRIMARY KEY, v ANY) STRICT;\n");
  const auto staged = [&](const std::string& table) {
    const auto dest = *dialect.table(table);
    const auto staging = dialect.staging_table(there.key(42, 7));
    there.must(dialect.create_staging_script(staging, dest, there.columns_of(dest)));
    std::string types;
    for (const auto& column : there.columns_of(staging)) types += column.type + "|";
    there.must(dialect.drop_staging_script(std::vector{staging}));
    std::erase(types, '"');
    return types;
  };
  EXPECT_EQ(staged("t"), "INTEGER|DATE|odd) ; --|UNSIGNED BIG INT(8)||");
  EXPECT_EQ(staged("s"), "INTEGER||");
}

}  // namespace
}  // namespace pipekit::test
