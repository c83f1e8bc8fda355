// merge_method: update at real databases: rows stay where they are, and only what differs is written.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/system/destination.h"
#include "worker/columns.h"

namespace pipekit::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using worker::MergeMethod;

class Update : public testing::TestWithParam<const char*> {
 protected:
  static bool sqlite() { return std::string_view{GetParam()} == "sqlite"; }
  static std::unique_ptr<TestDatabase> make() { return sqlite() ? new_sqlite_database() : new_postgres_database(); }

  void SetUp() override { begin_run(); }
  void begin_run() {
    key_ = there.key(key_.run + 1, key_.epoch + 1);
    EXPECT_TRUE(there.claim(key_).ok());
  }

  // Merges `rows` (a VALUES list) into `table`, whose writable columns and sequences are read from the database.
  std::string update(const std::string& table, const std::vector<std::string>& by, const std::string& rows,
                     MergeStrategy strategy = MergeStrategy::kIncremental) {
    const auto& dialect = there.dialect();
    const auto dest = *dialect.table(table);
    const auto facts = worker::read_table(there.run(dialect.columns_script(dest)).csv);
    MergePlan plan{.strategy = strategy,
                   .dest = dest,
                   .staging = dialect.staging_table(key_),
                   .columns = worker::names_of(worker::writable(facts->columns)),
                   .key = by,
                   .method = MergeMethod::kUpdate};
    for (const auto& sequence : facts->sequences) plan.sequences.push_back({sequence.column, sequence.name});
    there.must(dialect.create_staging_script(plan.staging, dest, worker::writable(facts->columns)));
    if (!rows.empty()) there.must("INSERT INTO " + plan.staging.sql + " VALUES " + rows + ";\n");
    counts_ = text_of(there.run(dialect.preflight_script(plan.staging, dest, by, {false, true})));
    plan.staged_rows = std::stoll(counts_);
    const auto answer = there.merge(key_, plan);
    there.must(dialect.drop_staging_script(std::vector{plan.staging}));
    begin_run();
    return answer.error;
  }
  // How many updates the engine makes of it, by a trigger.
  void count_updates(const std::string& table) {
    there.must("CREATE TABLE updated (n integer);\n");
    if (sqlite()) {
      there.must("CREATE TRIGGER counted AFTER UPDATE ON " + table + " BEGIN INSERT INTO updated VALUES (1); END;\n");
    } else {
      there.must(
          "CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO updated VALUES (1); RETURN "
          "new; END';\nCREATE TRIGGER counted AFTER UPDATE ON " +
          table + " FOR EACH ROW EXECUTE FUNCTION counted();\n");
    }
  }
  std::string updates() { return text_of(there.run("SELECT count(*) FROM updated;\n")); }

  Destination there{make()};
  FenceKey key_ = there.key(41, 6);
  std::string counts_;
};

INSTANTIATE_TEST_SUITE_P(Engines, Update, testing::Values("sqlite", "postgresql"),
                         [](const auto& tested) { return std::string{tested.param}; });

TEST_P(Update, incremental_changes_rows_that_are_there_and_inserts_the_others) {
  EXPECT_EQ(update("orders", {"id"}, "(2, 20, 'new'), (4, NULL, 'new')"), "");
  EXPECT_EQ(there.rows(), "1|10|old\n2|20|new\n3|10|old\n4|NULL|new");
}

TEST_P(Update, full_deletes_only_what_did_not_come_back) {
  there.must(
      "CREATE TABLE chi (id integer, par integer REFERENCES orders (id) ON DELETE CASCADE);\n"
      "INSERT INTO chi VALUES (1, 1), (2, 2), (3, 3);\n");
  EXPECT_EQ(update("orders", {"id"}, "(1, 10, 'old'), (2, 20, 'new'), (4, 40, 'new')", MergeStrategy::kFull), "");
  EXPECT_EQ(there.rows(), "1|10|old\n2|20|new\n4|40|new");
  EXPECT_EQ(there.rows("chi"), sqlite() ? "1|1\n2|2\n3|3" : "1|1\n2|2") << "SQLite's session enforces no references";
}

TEST_P(Update, full_of_nothing_empties_the_table) {
  EXPECT_EQ(update("orders", {"id"}, "", MergeStrategy::kFull), "");
  EXPECT_EQ(there.rows(), "");
}

TEST_P(Update, full_removes_rows_with_a_null_in_the_key) {
  there.must(
      "CREATE TABLE lines (a integer, b integer, v text);\n"
      "INSERT INTO lines VALUES (1, 1, 'old'), (1, NULL, 'old'), (NULL, 1, 'old'), (NULL, NULL, 'old');\n");
  EXPECT_EQ(update("lines", {"a", "b"}, "(1, 1, 'new'), (1, 2, 'new')", MergeStrategy::kFull), "");
  EXPECT_EQ(there.rows("lines"), "1|1|new\n1|2|new");
}

TEST_P(Update, takes_nulls_for_what_they_are) {
  there.must(
      "CREATE TABLE n (id integer PRIMARY KEY, a text, b integer);\n"
      "INSERT INTO n VALUES (1, NULL, NULL), (2, 'x', 1), (3, NULL, 1), (4, '', 0);\n");
  count_updates("n");
  EXPECT_EQ(update("n", {"id"}, "(1, NULL, NULL), (2, NULL, 1), (3, 'x', 1), (4, NULL, 0)"), "");
  EXPECT_EQ(there.rows("n"), "1|NULL|NULL\n2|NULL|1\n3|x|1\n4|NULL|0");
  EXPECT_EQ(updates(), "3") << "the first row is as it was";
}

TEST_P(Update, writes_nothing_where_nothing_has_changed) {
  count_updates("orders");
  EXPECT_EQ(update("orders", {"id"}, "(1, 10, 'old'), (2, 10, 'old'), (3, 10, 'old')", MergeStrategy::kFull), "");
  EXPECT_EQ(updates(), "0");
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST_P(Update, of_a_table_that_is_all_key_inserts_what_is_missing) {
  there.must(
      "CREATE TABLE pairs (a integer, b text, PRIMARY KEY (b, a));\nINSERT INTO pairs VALUES (1, 'x'), (2, 'y');\n");
  EXPECT_EQ(update("pairs", {"a", "b"}, "(1, 'x'), (1, 'y')", MergeStrategy::kFull), "");
  EXPECT_EQ(there.rows("pairs"), "1|x\n1|y");
}

TEST_P(Update, leaves_generated_columns_to_the_engine) {
  there.must(
      "CREATE TABLE sums (a integer PRIMARY KEY, b integer, total integer GENERATED ALWAYS AS (a + b) STORED);\n"
      "INSERT INTO sums (a, b) VALUES (1, 1);\n");
  EXPECT_EQ(update("sums", {"a"}, "(1, 5), (2, 5)"), "");
  EXPECT_EQ(there.rows("sums"), "1|5|6\n2|5|7");
}

TEST_P(Update, counts_keys_that_are_not_unique_on_either_side) {
  there.must("CREATE TABLE docs (doc integer, v text);\nINSERT INTO docs VALUES (1, 'a'), (1, 'b'), (2, 'a');\n");
  EXPECT_EQ(update("docs", {"doc"}, "(2, 'x')"), "");
  EXPECT_EQ(counts_, "1|0|0|0|NULL");
  update("docs", {"doc"}, "(1, 'x')");
  EXPECT_EQ(counts_, "1|0|0|1|NULL");
  there.must("DELETE FROM docs;\n");
  update("docs", {"doc"}, "(3, 'x'), (3, 'y'), (NULL, 'z')");
  EXPECT_EQ(counts_, "3|1|1|0|NULL");
}

TEST_P(Update, goes_through_odd_names_and_words_of_sql) {
  const std::string table = R"("Weird ""d""; s")";
  there.must("CREATE TABLE " + table + R"( ("d" integer PRIMARY KEY, "s.x" text, "select" text);
)");
  there.must("INSERT INTO " + table + " VALUES (1, 'a', 'b');\n");
  EXPECT_EQ(update(table, {"d"}, "(1, 'a', 'c'), (2, NULL, NULL)", MergeStrategy::kFull), "");
  EXPECT_EQ(there.rows(table), "1|a|c\n2|NULL|NULL");
}

TEST_P(Update, is_one_transaction_under_the_fence) {
  const auto plan = [&] {
    auto made = there.stage(key_, "new");
    made.method = MergeMethod::kUpdate;
    return made;
  }();
  there.must("CREATE UNIQUE INDEX one_new ON orders (v) WHERE v = 'new';\n");
  EXPECT_NE(there.merge(key_, plan).error, "");
  EXPECT_EQ(there.rows(), kUntouched);
  there.must("DROP INDEX one_new;\n");
  EXPECT_EQ(text_of(there.close(key_)), "S|7|1|NULL|NULL");
  EXPECT_NE(there.merge(key_, plan).error, "") << "closed";
  EXPECT_EQ(there.rows(), kUntouched);
  const auto next = there.key(43, 8);
  there.claim(next);
  auto again = plan;
  EXPECT_EQ(there.merge(next, again).error, "");
  EXPECT_EQ(there.rows(), "1|10|old\n2|20|new\n3|20|new\n4|20|new");
  EXPECT_NE(there.merge(next, again).error, "") << "once a run";
}

TEST_P(Update, without_a_fence_refuses_other_rows_than_were_verified) {
  auto plan = there.stage(key_, "new");
  plan.method = MergeMethod::kUpdate;
  plan.staged_rows = 2;
  EXPECT_NE(there.run(there.dialect().merge_script_unfenced(plan)).error, "");
  EXPECT_EQ(there.rows(), kUntouched);
  plan.staged_rows = 3;
  EXPECT_EQ(there.run(there.dialect().merge_script_unfenced(plan)).error, "");
  EXPECT_EQ(there.rows(), "1|10|old\n2|20|new\n3|20|new\n4|20|new");
}

class SqliteUpdate : public Update {};
INSTANTIATE_TEST_SUITE_P(Engine, SqliteUpdate, testing::Values("sqlite"));

TEST_P(SqliteUpdate, sees_what_the_collation_and_the_comparison_of_numbers_do_not) {
  there.must(
      "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, v);\n"
      "INSERT INTO t VALUES (1, 'Ada', 1), (2, 'Bob', 'x');\n");
  EXPECT_EQ(update("t", {"id"}, "(1, 'ADA', 1.0), (2, 'Bob', x'78')"), "");
  EXPECT_EQ(text_of(there.run("SELECT id, name, typeof(v) FROM t ORDER BY id;\n")), "1|ADA|real\n2|Bob|blob");
}

TEST_P(SqliteUpdate, takes_for_duplicates_what_the_destination_takes_for_equal) {
  there.must("CREATE TABLE names (name TEXT COLLATE NOCASE, v TEXT);\nINSERT INTO names VALUES ('Ada', 'old');\n");
  update("names", {"name"}, "('ADA', 'a'), ('ada', 'b'), ('Bob', 'c'), ('bob', 'd')");
  EXPECT_EQ(counts_, "4|0|2|1|NULL");
}

TEST_P(SqliteUpdate, scans_neither_table_for_each_row_of_the_other) {
  there.must("CREATE TABLE plain (a TEXT COLLATE NOCASE, b INTEGER, v TEXT);\n");
  const auto& dialect = there.dialect();
  MergePlan plan{.strategy = MergeStrategy::kFull,
                 .dest = *dialect.table("plain"),
                 .staging = dialect.staging_table(key_),
                 .columns = {"a", "b", "v"},
                 .key = {"a", "b"},
                 .method = MergeMethod::kUpdate};
  there.must(dialect.create_staging_script(plan.staging, plan.dest, there.columns_of(plan.dest)));
  const auto script = dialect.merge_script(key_, plan);
  for (const std::string statement : {"\nDELETE FROM", "\nUPDATE \"", "\nINSERT INTO \""}) {
    const auto begin = script.find(statement) + 1;
    ASSERT_NE(begin, 0U) << statement;
    const auto steps =
        text_of(there.run("EXPLAIN QUERY PLAN " + script.substr(begin, script.find(";\n", begin) - begin + 2)));
    EXPECT_THAT(steps, testing::AnyOf(HasSubstr("USING AUTOMATIC"), HasSubstr("LIST SUBQUERY"))) << steps;
    EXPECT_THAT(steps, testing::Not(HasSubstr("CORRELATED"))) << steps;
  }
}

class PostgresUpdate : public Update {
 protected:
  std::string next(const std::string& table) {
    return text_of(there.run("INSERT INTO " + table + " (q) VALUES (0) RETURNING id;\n"));
  }
};
INSTANTIATE_TEST_SUITE_P(Engine, PostgresUpdate, testing::Values("postgresql"));

TEST_P(PostgresUpdate, compares_types_that_have_no_equality_or_a_coarse_one) {
  there.must(
      "CREATE TABLE t (id integer PRIMARY KEY, j json, n numeric, b box, i interval, d date, a text[]);\n"
      "INSERT INTO t VALUES (1, '{\"a\":1}', 1.0, '(2,2),(0,0)', '1 mon', NULL, '{}'), (2, '{}', 1, NULL, NULL, NULL, "
      "NULL);\n");
  count_updates("t");
  EXPECT_EQ(
      update("t", {"id"},
             "(1, '{\"a\": 1}', 1.00, '(4,1),(0,0)', '30 days', NULL, '{x}'), (2, '{}', 1, NULL, NULL, NULL, NULL)"),
      "");
  EXPECT_EQ(there.rows("t"), "1|{\"a\": 1}|1.00|(4,1),(0,0)|30 days|NULL|{x}\n2|{}|1|NULL|NULL|NULL|NULL");
  EXPECT_EQ(updates(), "1");
}

TEST_P(PostgresUpdate, reaches_the_rows_of_partitions) {
  there.must(
      "CREATE TABLE p (id integer, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id);\n"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);\nCREATE TABLE p2 PARTITION OF p FOR VALUES FROM "
      "(10) TO "
      "(20);\nINSERT INTO p VALUES (1, 'old'), (11, 'old'), (12, 'old');\n");
  EXPECT_EQ(update("p", {"id"}, "(1, 'new'), (2, 'new'), (12, 'new')", MergeStrategy::kFull), "");
  EXPECT_EQ(there.rows("p"), "1|new\n2|new\n12|new");
}

TEST_P(PostgresUpdate, advances_identity_and_serial_sequences_and_never_turns_them_back) {
  for (const std::string type : {"int GENERATED ALWAYS AS IDENTITY", "bigint GENERATED BY DEFAULT AS IDENTITY",
                                 "serial", "smallint DEFAULT nextval('own')"}) {
    there.must("DROP TABLE IF EXISTS g;\nDROP SEQUENCE IF EXISTS own;\nCREATE SEQUENCE own;\n");
    there.must("CREATE TABLE g (id " + type + " PRIMARY KEY, q int);\n");
    EXPECT_EQ(update("g", {"id"}, "(1, 1), (2, 1), (3, 1)"), "");
    EXPECT_EQ(next("g"), "4") << type;
    EXPECT_EQ(update("g", {"id"}, "(2, 2)"), "");
    EXPECT_EQ(next("g"), "5") << type;
    EXPECT_EQ(update("g", {"id"}, "(20000, 1)"), "");
    EXPECT_EQ(next("g"), "20001") << type;
    EXPECT_EQ(update("g", {"id"}, "(7, 1), (-3, 1)"), "");
    EXPECT_EQ(next("g"), "20002") << type;
    EXPECT_EQ(update("g", {"id"}, "", MergeStrategy::kFull), "");
    EXPECT_EQ(next("g"), "20003") << type;
  }
}

TEST_P(PostgresUpdate, advances_sequences_of_other_steps_and_not_beyond_their_bounds) {
  there.must(
      "CREATE TABLE g (id int GENERATED BY DEFAULT AS IDENTITY (START WITH 5 INCREMENT BY 10) PRIMARY KEY, q int);\n");
  EXPECT_EQ(update("g", {"id"}, "(17, 1)"), "");
  EXPECT_EQ(next("g"), "27");
  there.must("CREATE TABLE d (id int GENERATED BY DEFAULT AS IDENTITY (INCREMENT BY -1) PRIMARY KEY, q int);\n");
  EXPECT_EQ(update("d", {"id"}, "(-3, 1), (8, 1)"), "");
  EXPECT_EQ(next("d"), "-4");
  there.must("CREATE TABLE s (id int GENERATED BY DEFAULT AS IDENTITY (MAXVALUE 100) PRIMARY KEY, q int);\n");
  EXPECT_EQ(update("s", {"id"}, "(99, 1), (5000, 1)"), "") << "the next INSERT is the application's to fail";
}

TEST_P(PostgresUpdate, finds_whatever_depends_on_rows_of_the_table_and_its_partitions) {
  const auto kinds = [&](const std::string& table) {
    std::vector<std::string> found;
    const auto facts = worker::read_table(there.run(there.dialect().columns_script(*there.dialect().table(table))).csv);
    EXPECT_TRUE(facts) << facts.error().message;
    for (const auto& r : facts->references) {
      found.push_back(fmt::format("{}.{} {}/{}{}", r.table, r.column, r.on_delete, r.on_update, r.self ? " self" : ""));
    }
    for (const auto& r : facts->reactions) found.push_back(r.name);
    return found;
  };
  EXPECT_THAT(kinds("orders"), IsEmpty());
  there.must(
      "CREATE TABLE p (id integer PRIMARY KEY, up integer REFERENCES p ON DELETE CASCADE) PARTITION BY RANGE (id);\n"
      "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);\n"
      "CREATE TABLE c (p integer REFERENCES p ON DELETE SET NULL ON UPDATE CASCADE);\n"
      "CREATE TABLE c1 (p integer REFERENCES p1 ON DELETE SET DEFAULT);\n"
      "CREATE TABLE plain (p integer REFERENCES p);\n");
  EXPECT_THAT(kinds("p"), testing::UnorderedElementsAre("c.id set null/cascade", "c1.id set default/no action",
                                                        "plain.id no action/no action", "p.id cascade/no action self"));
  EXPECT_THAT(kinds("p1"), testing::IsSupersetOf({"c.id set null/cascade", "c1.id set default/no action"}));
  there.must(
      "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN old; END';\n"
      "CREATE TABLE base (id integer PRIMARY KEY, v text);\nCREATE TABLE kid () INHERITS (base);\n"
      "CREATE TABLE other (id integer REFERENCES base ON DELETE CASCADE);\n"
      "CREATE TRIGGER gone BEFORE DELETE ON kid FOR EACH ROW EXECUTE FUNCTION f();\n"
      "CREATE TRIGGER off BEFORE DELETE ON base FOR EACH ROW EXECUTE FUNCTION f();\n"
      "ALTER TABLE base DISABLE TRIGGER off;\n"
      "CREATE TRIGGER ins BEFORE INSERT OR UPDATE ON base FOR EACH ROW EXECUTE FUNCTION f();\n"
      "CREATE RULE note AS ON DELETE TO base DO ALSO NOTHING;\nCREATE VIEW seen AS SELECT * FROM base;\n");
  EXPECT_THAT(kinds("base"), ElementsAre("other.id cascade/no action", "gone", "note", "kid"));
  EXPECT_THAT(kinds("seen"), ElementsAre("other.id cascade/no action", "gone", "note", "kid"));
}

TEST_P(SqliteUpdate, finds_triggers_and_the_references_that_the_session_enforces) {
  there.must(
      "CREATE TABLE Par (id INTEGER PRIMARY KEY, up REFERENCES par ON DELETE CASCADE);\n"
      "CREATE TABLE chi (p REFERENCES PAR ON DELETE SET NULL ON UPDATE CASCADE);\n"
      "CREATE TRIGGER gone AFTER DELETE ON par BEGIN SELECT 1; END;\n"
      "CREATE TRIGGER came AFTER INSERT ON par BEGIN SELECT 1; END;\n");
  const auto script = there.dialect().columns_script(*there.dialect().table("par"));
  const auto off = worker::read_table(there.run("PRAGMA foreign_keys = OFF;\n" + script).csv);
  EXPECT_THAT(off->references, IsEmpty()) << "they are not enforced";
  ASSERT_EQ(off->reactions.size(), 1U);
  EXPECT_EQ(off->reactions[0].name, "gone");
  const auto on = worker::read_table(there.run("PRAGMA foreign_keys = ON;\n" + script).csv);
  ASSERT_EQ(on->references.size(), 2U);
  for (const auto& reference : on->references) {
    EXPECT_EQ(reference.column, "id");
    EXPECT_EQ(reference.self, reference.table == "Par");
    EXPECT_EQ(reference.on_delete, reference.self ? "cascade" : "set null");
  }
}

}  // namespace
}  // namespace pipekit::test
