// Merges into tables that others refer to: refused, or by merge_method: update.
#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Referenced : public FlowTest, public ::testing::WithParamInterface<const char*> {
 protected:
  [[nodiscard]] static bool postgres() { return std::string(GetParam()) == "postgresql"; }

  void SetUp() override {
    if (postgres()) dst_ = new_postgres();
    src_->execute(kOrders);
    src_->execute(kThreeOrders);
    dst_->execute(kOrders);
    dst_->execute("INSERT INTO orders VALUES (1, 'old', 1), (2, 'old', 2), (9, 'old', 9)");
    start_worker();
  }
  // SQLite enforces references only where the URL says so.
  void apply_modules(const std::string& modules) {
    auto dst = dst_->definition("dst");
    if (!postgres()) dst.replace(dst.find(".db\""), 4, ".db?foreign_keys=on\"");
    const auto path = system_.dir().write("definitions.yaml",
                                          "connections:\n" + src_->definition("src") + dst + "modules:\n" + modules);
    const auto result = ctl({"apply", "-f", path});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  void refer(const std::string& action) {
    dst_->execute("CREATE TABLE lines (id integer, order_id integer DEFAULT 1 REFERENCES orders (id) " + action + ")");
    dst_->execute("INSERT INTO lines VALUES (1, 1), (2, 2), (9, 9)");
  }
  std::string lines() { return dst_->rows("SELECT id, order_id FROM lines ORDER BY 1"); }
  std::string orders() { return dst_->rows("SELECT id, customer FROM orders ORDER BY 1"); }
};

INSTANTIATE_TEST_SUITE_P(Databases, Referenced, ::testing::Values("sqlite", "postgresql"),
                         [](const auto& item) { return std::string(item.param); });

TEST_P(Referenced, replacing_is_refused_before_the_merge_where_it_would_change_other_tables) {
  apply_modules(orders_module("full", {}, "full") + orders_module("incremental", {"merge_key: id"}, "incremental"));
  for (const std::string action : {"ON DELETE CASCADE", "ON DELETE SET NULL", "ON DELETE SET DEFAULT"}) {
    refer(action);
    for (const std::string module : {"full", "incremental"}) {
      const auto ended = run(module);
      EXPECT_THAT(ended, Ended("error")) << action;
      EXPECT_EQ(ended["error_code"], "referenced_table");
      EXPECT_THAT(ended["error"].get<std::string>(), AllOf(HasSubstr("lines"), HasSubstr(action)));
      EXPECT_THAT(ended["error"].get<std::string>(), HasSubstr("merge_method: update"));
      EXPECT_EQ(lines(), "1|1\n2|2\n9|9");
      EXPECT_EQ(orders(), "1|old\n2|old\n9|old");
    }
    dst_->execute("DROP TABLE lines");
  }
  EXPECT_EQ(dst_->staging_tables(), "");
}

TEST_P(Referenced, updating_leaves_what_refers_to_rows_that_come_back) {
  apply_modules(orders_module("full", {"merge_key: id", "merge_method: update"}, "full") +
                orders_module("incremental", {"merge_key: id", "merge_method: update"}, "incremental"));
  refer("ON DELETE CASCADE");
  const auto first = run("incremental");
  EXPECT_THAT(first, Ended("success")) << first.dump();
  EXPECT_EQ(first["row_count"], 3);
  EXPECT_EQ(orders(), "1|ann\n2|bob\n3|NULL\n9|old");
  EXPECT_EQ(lines(), "1|1\n2|2\n9|9");
  EXPECT_THAT(run("full"), Ended("success"));
  EXPECT_EQ(orders(), "1|ann\n2|bob\n3|NULL");
  EXPECT_EQ(lines(), "1|1\n2|2") << "the order of the third is gone from the source";
}

TEST_P(Referenced, a_plain_reference_is_the_databases_to_refuse_and_the_error_says_what_to_do) {
  apply_modules(orders_module("full") +
                orders_module("incremental", {"merge_key: id", "merge_method: update"}, "update"));
  refer("");
  const auto ended = run("orders");
  EXPECT_THAT(ended, Ended("error"));
  EXPECT_EQ(ended["error_code"], "merge_failed");
  EXPECT_THAT(ended["error"].get<std::string>(), AllOf(HasSubstr("lines"), HasSubstr("merge_method: update")));
  EXPECT_THAT(ended["error"].get<std::string>(),
              AllOf(Not(HasSubstr("statement ")), Not(HasSubstr("pipekit_staging"))));
  EXPECT_THAT(run("update"), Ended("success"));
  EXPECT_EQ(lines(), "1|1\n2|2\n9|9");
}

TEST_P(Referenced, a_trigger_on_deletion_is_told_before_the_merge) {
  dst_->execute("CREATE TABLE gone (id integer)");
  if (postgres()) {
    dst_->execute(
        "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO gone VALUES (old.id); RETURN "
        "old; "
        "END'; CREATE TRIGGER noted AFTER DELETE ON orders FOR EACH ROW EXECUTE FUNCTION gone()");
  } else {
    dst_->execute("CREATE TRIGGER noted AFTER DELETE ON orders BEGIN INSERT INTO gone VALUES (old.id); END");
  }
  apply_modules(orders_module("full") + orders_module("full", {"merge_key: id", "merge_method: update"}, "update"));
  const auto ended = run("orders");
  EXPECT_EQ(ended["error_code"], "referenced_table");
  EXPECT_THAT(ended["error"].get<std::string>(), HasSubstr("noted"));
  EXPECT_THAT(run("update"), Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT id FROM gone"), "9") << "the one row that is gone";
}

TEST_P(Referenced, updating_needs_one_row_per_key_on_both_sides) {
  dst_->execute("CREATE TABLE docs (doc integer, customer text, total numeric)");
  dst_->execute("INSERT INTO docs VALUES (1, 'a', 1), (1, 'b', 2)");
  const auto docs = [](const std::string& name, const std::string& key) {
    auto text = orders_module(
        "incremental",
        {"merge_key: doc", "merge_method: update", "source_query: SELECT " + key + ", customer, total FROM orders"},
        name);
    text.replace(text.find("dest_table: orders"), 18, "dest_table: docs");
    return text;
  };
  apply_modules(docs("staged", "7") + docs("present", "id") + docs("nothing", "NULL"));
  for (const auto& [module, code] :
       {std::pair{"staged", "duplicate_keys"}, {"present", "duplicate_keys"}, {"nothing", "null_keys"}}) {
    const auto ended = run(module);
    EXPECT_EQ(ended["error_code"], code) << module << ended["error"];
    EXPECT_EQ(dst_->rows("SELECT count(*) FROM docs"), "2");
  }
}

TEST_P(Referenced, a_unique_key_is_asked_for_whatever_the_strategy) {
  apply_modules(orders_module(
      "full", {"merge_key: id", "unique_key: true", "source_query: SELECT 1, customer, total FROM orders"}));
  EXPECT_EQ(run("orders")["error_code"], "duplicate_keys");
}

using Flow = FlowTest;

TEST_F(Flow, the_application_inserts_after_a_merge_of_explicit_ids) {
  dst_ = new_postgres();
  src_->execute(kOrders);
  src_->execute(kThreeOrders);
  dst_->execute("CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text, total numeric)");
  start_worker();
  apply("modules:\n" + orders_module("full") +
        orders_module("append", {"source_query: \"SELECT 40, 'x', 0\""}, "more"));
  EXPECT_THAT(run("orders"), Ended("success"));
  EXPECT_EQ(dst_->rows("INSERT INTO orders (customer) VALUES ('zoe') RETURNING id"), "4");
  EXPECT_THAT(run("more"), Ended("success"));
  EXPECT_EQ(dst_->rows("INSERT INTO orders (customer) VALUES ('zoe') RETURNING id"), "41");
  const auto again = run("orders");
  EXPECT_THAT(again, Ended("success"));
  EXPECT_EQ(dst_->rows("INSERT INTO orders (customer) VALUES ('zoe') RETURNING id"), "42") << "never backwards";
  EXPECT_THAT(again["live_log"].get<std::string>(), Not(HasSubstr("NOTICE"))) << "of tables that are not there";
}

TEST_F(Flow, a_preview_a_watermark_and_a_source_write_only_where_the_connection_says_so) {
  src_ = new_postgres();
  src_->execute(kOrders);
  src_->execute(kThreeOrders);
  src_->execute("CREATE FUNCTION take() RETURNS SETOF orders LANGUAGE sql AS 'DELETE FROM orders RETURNING *'");
  dst_->execute(kOrders);
  start_worker();
  apply("modules:\n" + orders_module("append", {"source_query: SELECT id, customer, total FROM take()"}) +
        orders_module("append",
                      {"source_query: \"SELECT id, customer, total FROM orders WHERE id > {w}\"",
                       "watermarks:", "  - {name: w, connection: src, resolver_sql: \"SELECT count(*) FROM take()\"}"},
                      "marked"));
  EXPECT_NE(ctl({"module", "preview", "orders"}).exit_code, 0);
  EXPECT_NE(ctl({"module", "preview", "marked"}).exit_code, 0);
  for (const std::string module : {"orders", "marked"}) {
    const auto refused = run(module);
    EXPECT_THAT(refused, Ended("error"));
    EXPECT_THAT(refused["error"].get<std::string>(), HasSubstr("read-only transaction"));
  }
  EXPECT_EQ(src_->rows("SELECT count(*) FROM orders"), "3");
  const auto path = system_.dir().write("w.yaml", "connections:\n" + src_->definition("src", ", read_only: false"));
  EXPECT_EQ(ctl({"apply", "-f", path}).exit_code, 0);
  EXPECT_THAT(run("orders"), Ended("success"));
  EXPECT_EQ(src_->rows("SELECT count(*) FROM orders"), "0");
}

}  // namespace
}  // namespace pipekit::test
