// What each merge strategy does to the destination, for both databases.
#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::HasSubstr;

const std::string kAll = "SELECT id, customer, total FROM orders ORDER BY 1, 2";
const std::string kThreeRows = "1|ann|10\n2|bob|20\n3|NULL|30";

class FlowOver : public FlowTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    if (source_is_postgres()) src_ = new_postgres();
    if (destination_is_postgres()) dst_ = new_postgres();
    src_->execute(kOrders);
    src_->execute(kThreeOrders);
    dst_->execute(kOrders);
    start_worker();
  }
  [[nodiscard]] static bool source_is_postgres() { return std::string(GetParam()).starts_with("postgresql"); }
  [[nodiscard]] static bool destination_is_postgres() { return std::string(GetParam()).ends_with("postgresql"); }
};

INSTANTIATE_TEST_SUITE_P(Databases, FlowOver, ::testing::Values("sqlite_to_sqlite", "postgresql_to_postgresql"),
                         [](const auto& item) { return std::string(item.param); });

TEST_P(FlowOver, full_makes_the_table_what_the_query_returns_and_again_changes_nothing) {
  dst_->execute("INSERT INTO orders VALUES (9, 'gone', 90)");
  apply("modules:\n" + orders_module("full"));
  const auto first = run("orders");
  EXPECT_THAT(first, Ended("success"));
  EXPECT_EQ(first["row_count"], 3);
  EXPECT_EQ(first["live_log"], "3 rows\n") << "of the first claim's setup nothing is said";
  EXPECT_EQ(dst_->rows(kAll), kThreeRows);
  EXPECT_EQ(run("orders")["row_count"], 3);
  EXPECT_EQ(dst_->rows(kAll), kThreeRows);
  src_->execute("DELETE FROM orders WHERE id = 1");
  src_->execute("UPDATE orders SET customer = 'it''s; {x}' WHERE id = 2");
  src_->execute("INSERT INTO orders VALUES (4, 'dan', 40)");
  EXPECT_EQ(run("orders")["row_count"], 3);
  EXPECT_EQ(dst_->rows(kAll), "2|it's; {x}|20\n3|NULL|30\n4|dan|40");
  src_->execute("DELETE FROM orders");
  const auto empty = run("orders");
  EXPECT_THAT(empty, Ended("success"));
  EXPECT_EQ(empty["row_count"], 0);
  EXPECT_EQ(dst_->rows(kAll), "");
  EXPECT_EQ(dst_->staging_tables(), "");
}

TEST_P(FlowOver, incremental_moves_exactly_the_rows_past_the_watermark) {
  apply(
      "modules:\n" +
      orders_module(
          "incremental",
          {"merge_key: id", "source_query: SELECT id, customer, total FROM orders WHERE id > {last_id}", "watermarks:",
           "  - {name: last_id, connection: dst, resolver_sql: SELECT max(id) FROM orders, default_value: '0'}"}));
  const auto first = run("orders");
  EXPECT_EQ(first["row_count"], 3);
  EXPECT_EQ(first["watermark_values_json"], R"({"last_id":"0"})");
  EXPECT_EQ(first["resolved_source_sql"], "SELECT id, customer, total FROM orders WHERE id > 0");
  const auto unchanged = run("orders");
  EXPECT_THAT(unchanged, Ended("success"));
  EXPECT_EQ(unchanged["row_count"], 0);
  EXPECT_EQ(unchanged["watermark_values_json"], R"({"last_id":"3"})");
  src_->execute("INSERT INTO orders VALUES (4, 'dan', 40), (5, 'eve', 50)");
  src_->execute("UPDATE orders SET customer = 'not seen' WHERE id = 1");
  src_->execute("DELETE FROM orders WHERE id = 2");
  EXPECT_EQ(run("orders")["row_count"], 2);
  EXPECT_EQ(dst_->rows(kAll), kThreeRows + "\n4|dan|40\n5|eve|50");
  const auto again = run("orders", {{"set", {{"last_id", "0"}}}});
  EXPECT_EQ(again["row_count"], 4);
  EXPECT_EQ(again["watermark_values_json"], R"({"last_id":"0"})");
  EXPECT_EQ(dst_->rows(kAll), "1|not seen|10\n2|bob|20\n3|NULL|30\n4|dan|40\n5|eve|50");
}

TEST_P(FlowOver, incremental_with_several_columns_in_the_key_replaces_only_equal_ones) {
  for (auto* database : {src_.get(), dst_.get()}) {
    database->execute("CREATE TABLE lines (doc integer, line integer, note text, PRIMARY KEY (doc, line))");
  }
  src_->execute("INSERT INTO lines VALUES (1, 1, 'new'), (2, 2, 'new')");
  dst_->execute("INSERT INTO lines VALUES (1, 1, 'old'), (1, 2, 'old'), (2, 1, 'old')");
  apply(
      "modules:\n  - {name: lines, source_connection: src, dest_connection: dst, dest_table: lines, "
      "source_query: \"SELECT doc, line, note FROM lines\", merge_strategy: incremental, merge_key: [doc, line]}\n");
  EXPECT_EQ(run("lines")["row_count"], 2);
  EXPECT_EQ(dst_->rows("SELECT * FROM lines ORDER BY 1, 2"), "1|1|new\n1|2|old\n2|1|old\n2|2|new");
}

TEST_P(FlowOver, append_adds_the_rows_each_time) {
  dst_->execute("DROP TABLE orders");
  dst_->execute("CREATE TABLE orders (id integer, customer text, total numeric)");
  apply("modules:\n" + orders_module("append"));
  EXPECT_EQ(run("orders")["row_count"], 3);
  EXPECT_EQ(run("orders")["row_count"], 3);
  EXPECT_EQ(dst_->rows("SELECT id, count(*) FROM orders GROUP BY id ORDER BY id"), "1|2\n2|2\n3|2");
}

TEST_P(FlowOver, a_dry_run_resolves_everything_and_touches_nothing) {
  dst_->execute("INSERT INTO orders VALUES (2, 'old', 1)");
  apply("modules:\n" +
        orders_module("incremental",
                      {"merge_key: id", "source_query: SELECT id, customer, total FROM orders WHERE id > {last_id}",
                       "watermarks:", "  - {name: last_id, connection: dst, resolver_sql: SELECT max(id) FROM orders}",
                       "hooks:", "  - {run_order: 1, connection: dst, sql: DELETE FROM orders, run_on: always}"}));
  const auto dry = run("orders", {{"dry_run", true}});
  EXPECT_THAT(dry, Ended("dry_run"));
  EXPECT_EQ(dry["row_count"], nullptr);
  EXPECT_EQ(dry["resolved_source_sql"], "SELECT id, customer, total FROM orders WHERE id > 2");
  EXPECT_EQ(dry["watermark_values_json"], R"({"last_id":"2"})");
  EXPECT_THAT(dry["merge_sql"], HasSubstr("INSERT INTO "));
  EXPECT_EQ(dst_->rows(kAll), "2|old|1");
  const auto traces = destination_is_postgres()
                          ? dst_->rows("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'pipekit%'")
                          : dst_->rows("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'pipekit%'");
  EXPECT_EQ(traces, "0");
}

TEST_P(FlowOver, the_merge_fires_the_destinations_triggers_and_leaves_generated_columns_to_it) {
  dst_->execute("DROP TABLE orders");
  dst_->execute("CREATE TABLE audit (id integer)");
  if (destination_is_postgres()) {
    dst_->execute(
        "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text, total numeric, twice "
        "numeric GENERATED ALWAYS AS (total * 2) STORED);"
        "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit VALUES (new.id); RETURN "
        "new; END';"
        "CREATE TRIGGER noted AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION noted()");
  } else {
    dst_->execute(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, customer text, total numeric, twice numeric "
        "GENERATED ALWAYS AS (total * 2) STORED);"
        "CREATE TRIGGER noted AFTER INSERT ON orders BEGIN INSERT INTO audit VALUES (new.id); END");
  }
  apply("modules:\n" + orders_module("incremental", {"merge_key: id"}));
  const auto ended = run("orders");
  EXPECT_THAT(ended, Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT id, total, twice FROM orders ORDER BY 1"), "1|10|20\n2|20|40\n3|30|60");
  EXPECT_EQ(dst_->rows("SELECT id FROM audit ORDER BY 1"), "1\n2\n3");
}

TEST_P(FlowOver, names_of_tables_and_columns_may_be_anything) {
  const std::string table = destination_is_postgres() ? R"("Größe"."select ""x""")" : R"("select ""x""")";
  if (destination_is_postgres()) dst_->execute(R"(CREATE SCHEMA "Größe")");
  dst_->execute("CREATE TABLE " + table + R"( ("Order" integer PRIMARY KEY, "größe in cm" text, "group" text))");
  dst_->execute("INSERT INTO " + table + " VALUES (1, 'old', 'old'), (8, 'old', 'old')");
  apply(
      "modules:\n  - name: 'Aufträge / ''q'' \"x\"'\n    source_connection: src\n    dest_connection: dst\n    "
      "dest_table: '" +
      table +
      "'\n    source_query: SELECT id, customer, 'ü' FROM orders\n    merge_strategy: incremental\n    merge_key: "
      "Order\n");
  const auto ended = run("Aufträge / 'q' \"x\"");
  EXPECT_THAT(ended, Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT * FROM " + table + " ORDER BY 1"), "1|ann|ü\n2|bob|ü\n3|NULL|ü\n8|old|old");
  EXPECT_EQ(dst_->staging_tables(), "");
}

TEST_P(FlowOver, readers_see_the_old_rows_or_the_new_ones_during_a_full_load_and_never_none) {
  dst_->execute("INSERT INTO orders SELECT value, 'old', 0 FROM " +
                std::string(destination_is_postgres()
                                ? "generate_series(1, 500) AS s(value)"
                                : "(WITH RECURSIVE s(value) AS (SELECT 1 UNION ALL SELECT value + "
                                  "1 FROM s WHERE value < 500) SELECT value FROM s)"));
  apply("modules:\n" + orders_module("full"));
  const auto id = submit("orders");
  events().wait_for_step(id, "merge");
  std::string seen;
  do {
    seen = dst_->rows("SELECT count(*) FROM orders");
    ASSERT_TRUE(seen == "500" || seen == "3") << seen;
  } while (seen != "3");
  EXPECT_THAT(wait(id), Ended("success"));
}

class FlowAcross : public FlowOver {};
INSTANTIATE_TEST_SUITE_P(Databases, FlowAcross, ::testing::Values("sqlite_to_postgresql", "postgresql_to_sqlite"),
                         [](const auto& item) { return std::string(item.param); });

TEST_P(FlowAcross, several_watermarks_come_from_either_side) {
  dst_->execute("INSERT INTO orders VALUES (1, 'old', 1)");
  apply("modules:\n" +
        orders_module("incremental",
                      {"merge_key: [id]",
                       "source_query: SELECT id, customer, total FROM orders WHERE id > {after} AND id <= {upto} AND "
                       "'{{x}}' <> '{name}'",
                       "watermarks:", "  - {name: after, connection: dst, resolver_sql: SELECT max(id) FROM orders}",
                       "  - {name: upto, connection: src, resolver_sql: SELECT max(id) FROM orders}",
                       "  - {name: name, connection: src, resolver_sql: SELECT customer FROM orders WHERE id = 99, "
                       "default_value: o'hara}"}));
  const auto ended = run("orders");
  EXPECT_THAT(ended, Ended("success"));
  EXPECT_EQ(ended["watermark_values_json"], R"({"after":"1","name":"o'hara","upto":"3"})");
  EXPECT_EQ(ended["resolved_source_sql"],
            "SELECT id, customer, total FROM orders WHERE id > 1 AND id <= 3 AND '{x}' <> 'o''hara'");
  EXPECT_EQ(dst_->rows(kAll), "1|old|1\n2|bob|20\n3|NULL|30");
}

}  // namespace
}  // namespace pipekit::test
