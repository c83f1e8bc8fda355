// Guards that stop a run before the destination is changed.
#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::HasSubstr;

const std::string kAll = "SELECT id, customer, total FROM orders ORDER BY 1, 2";

class FlowGuard : public FlowTest {
 protected:
  FlowGuard() {
    src_->execute("CREATE TABLE orders (id integer, customer text, total numeric)");
    src_->execute(kThreeOrders);
    dst_->execute(kOrders);
    dst_->execute("INSERT INTO orders VALUES (1, 'old', 1), (2, 'old', 2), (7, 'old', 7), (8, 'old', 8)");
  }

  // The run failed with this error, and nothing of it is left.
  void expect_refused(const Json& ended, const std::string& code, const std::string& words) {
    EXPECT_THAT(ended, Ended("error"));
    EXPECT_EQ(ended["error_code"], code);
    EXPECT_THAT(ended["error"].get<std::string>(), HasSubstr(words));
    EXPECT_EQ(dst_->rows(kAll), "1|old|1\n2|old|2\n7|old|7\n8|old|8");
    EXPECT_EQ(dst_->staging_tables(), "");
  }
};

TEST_F(FlowGuard, each_guard_leaves_the_destination_untouched_and_staging_dropped) {
  start_worker();
  apply("modules:\n" + orders_module("full", {"min_rows: 4"}, "few") +
        orders_module("full", {"max_shrink_pct: 20"}, "shrunk") +
        orders_module("incremental",
                      {"merge_key: id", "source_query: SELECT NULL, customer, total FROM orders WHERE id > 1"},
                      "nulls") +
        orders_module("incremental",
                      {"merge_key: id", "unique_key: true", "source_query: SELECT 1, customer, total FROM orders"},
                      "twice") +
        orders_module("full", {"source_query: SELECT id, customer FROM orders"}, "narrow") +
        orders_module("full", {"source_query: SELECT id, customer, total FROM ordres"}, "misspelt"));
  const auto few = run("few");
  expect_refused(few, "too_few_rows", "3 rows, at least 4 are expected (min_rows)");
  EXPECT_EQ(few["row_count"], 3);
  expect_refused(run("shrunk"), "shrunk", "from 4 to 3 rows, by more than 20 % (max_shrink_pct)");
  expect_refused(run("nulls"), "null_keys", "2 rows have NULL in the merge key id");
  expect_refused(run("twice"), "duplicate_keys", "1 values of the merge key id are not unique");
  const auto narrow = run("narrow");
  expect_refused(narrow, "transfer_failed", "2 columns");
  EXPECT_EQ(narrow["row_count"], nullptr);
  expect_refused(run("misspelt"), "transfer_failed", "no such table: ordres");
}

TEST_F(FlowGuard, a_shrink_within_the_limit_and_just_enough_rows_pass) {
  start_worker();
  apply("modules:\n" + orders_module("full", {"min_rows: 3", "max_shrink_pct: 25"}));
  EXPECT_THAT(run("orders"), Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT count(*) FROM orders"), "3");
}

TEST_F(FlowGuard, duplicate_keys_replace_a_whole_document_and_are_counted) {
  dst_->execute("DROP TABLE orders");
  dst_->execute("CREATE TABLE orders (id integer, customer text, total numeric)");
  dst_->execute("INSERT INTO orders VALUES (1, 'old', 1), (1, 'old', 2), (2, 'kept', 3)");
  start_worker();
  apply("modules:\n" +
        orders_module("incremental", {"merge_key: id", "source_query: SELECT 1, customer, total FROM orders"}));
  const auto ended = run("orders");
  EXPECT_THAT(ended, Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT * FROM orders ORDER BY id, total"), "1|ann|10\n1|bob|20\n1|NULL|30\n2|kept|3");
  const auto& counted = events().wait_for("the count", [](const LoggedEvent& event) {
    return event.fields.value("detail", "").find("1 values of the merge key") != std::string::npos;
  });
  EXPECT_EQ(counted.run, ended["id"]);
}

TEST_F(FlowGuard, a_runner_that_reports_other_rows_than_it_staged_is_not_believed) {
  start_worker({.jrunner = runner("if [ \"$MIGRATION\" ]; then real > /dev/null && echo 2 rows; else real; fi")});
  apply("modules:\n" + orders_module("full"));
  expect_refused(run("orders"), "row_count_mismatch", "the runner reported 2 rows, staging has 3");
}

TEST_F(FlowGuard, a_table_that_is_not_there_is_named_before_anything_is_made) {
  start_worker();
  apply(
      "modules:\n  - {name: orders, source_connection: src, dest_connection: dst, dest_table: ordres, "
      "source_query: \"SELECT 1\", merge_strategy: full}\n");
  expect_refused(run("orders"), "no_table", R"("ordres" does not exist on dst)");
}

TEST_F(FlowGuard, a_watermark_without_a_value_says_what_to_do) {
  start_worker();
  apply("modules:\n" +
        orders_module(
            "incremental",
            {"merge_key: id", "source_query: SELECT id, customer, total FROM orders WHERE id > {last}", "watermarks:",
             "  - {name: last, connection: src, resolver_sql: SELECT max(id) FROM orders WHERE id > 99}"}));
  expect_refused(run("orders"), "watermark_failed",
                 "watermark last: resolver_sql returned NULL and there is no default_value");
}

TEST_F(FlowGuard, a_role_without_the_rights_for_the_fence_is_told_what_is_missing_and_helped_by_what_stands) {
  dst_ = new_postgres();
  dst_->execute(kOrders);
  dst_->execute(
      "CREATE ROLE loader LOGIN PASSWORD 's3cret pass';"
      "GRANT SELECT, INSERT, DELETE ON orders TO loader");
  auto limited = dst_->definition("limited");
  limited.replace(limited.find("username: postgres"), 18, "username: loader");
  start_worker();
  apply(
      "modules:\n  - {name: orders, source_connection: src, dest_connection: limited, dest_table: orders, "
      "source_query: \"SELECT id, customer, total FROM orders\", merge_strategy: full}\n",
      limited);
  const auto refused = run("orders");
  EXPECT_THAT(refused, Ended("error"));
  EXPECT_THAT(refused["error"].get<std::string>(),
              ::testing::AllOf(HasSubstr("cannot lock"), HasSubstr("permission denied for database"),
                               HasSubstr("hint: grant the role CREATE on the database, or make the schema")));
  dst_->execute("CREATE SCHEMA pipekit_staging; GRANT USAGE, CREATE ON SCHEMA pipekit_staging TO loader");
  EXPECT_THAT(run("orders"), Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT count(*) FROM orders"), "3");
  EXPECT_EQ(dst_->staging_tables(), "");
}

}  // namespace
}  // namespace pipekit::test
