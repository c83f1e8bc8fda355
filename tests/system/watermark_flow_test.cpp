// Watermarks' values in real queries: what is in a row stays a value, whatever it is, and NULL is never silent.
#include <fmt/format.h>

#include "shared/placeholder.h"
#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// tie(id, v) in both databases; a module that reads those above the destination's highest id.
std::string cursor_module(const std::string& query, const std::string& more = {},
                          const std::string& strategy = "incremental",
                          const std::string& resolver = "SELECT max(id) FROM tie") {
  return "modules:\n  - name: tie\n    source_connection: src\n    dest_connection: dst\n    dest_table: tie\n"
         "    merge_strategy: " +
         strategy + "\n    merge_key: id\n    source_query: |-\n      " + query +
         "\n    watermarks:\n      - name: w\n        connection: dst\n        resolver_sql: " + resolver +
         "\n        default_value: \"\"\n" + more;
}

class WatermarkFlow : public FlowTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void begin(const std::string& source) {
    if (source == "postgresql") src_ = new_postgres();
    for (auto* database : {src_.get(), dst_.get()}) database->execute("CREATE TABLE tie (id text PRIMARY KEY, v text)");
    start_worker();
  }
  std::string ids() { return dst_->rows("SELECT id FROM tie ORDER BY id"); }
};

INSTANTIATE_TEST_SUITE_P(Sources, WatermarkFlow, ::testing::Values("sqlite", "postgresql"),
                         [](const auto& item) { return std::string(item.param); });

TEST_P(WatermarkFlow, a_value_in_quotes_is_a_value_whatever_it_contains) {
  begin(GetParam());
  src_->execute("CREATE TABLE salaries (name text, pay text)");
  src_->execute("INSERT INTO salaries VALUES ('ann', '9')");
  src_->execute("INSERT INTO tie VALUES ('A', '1'), ('O''Brien', '2'), ('back\\slash', '3'), ('new\nline''', '4')");
  apply(cursor_module("SELECT id, v FROM tie WHERE id > '{w}'"));
  for (const auto* highest : {"", "O''Brien", "zz'' UNION SELECT name, pay FROM salaries -- ", "zz'' OR ''1''=''1",
                              "\\", "z\\''; --", "z''''", "{w}", "z\n'' OR 1=1 --"}) {
    dst_->execute("DELETE FROM tie");
    if (*highest != '\0') dst_->execute(std::string("INSERT INTO tie VALUES ('") + highest + "', '')");
    const auto before = dst_->rows("SELECT max(id) FROM tie");
    const auto ended = run("tie");
    EXPECT_THAT(ended, Ended("success")) << highest;
    EXPECT_EQ(dst_->rows("SELECT count(*) FROM tie WHERE id = 'ann'"), "0") << highest;
    if (*highest == 'z') {
      EXPECT_EQ(ended["row_count"], 0) << highest;
    }
  }
}

TEST_P(WatermarkFlow, a_value_without_quotes_is_one_literal_or_nothing_is_moved) {
  begin(GetParam());
  src_->execute("INSERT INTO tie VALUES ('a', '1'), ('b', '2')");
  dst_->execute("INSERT INTO tie VALUES ('a'' OR 1=1 --', '0')");
  apply(cursor_module("SELECT id, v FROM tie WHERE v > {w}", {}, "full"));
  const auto refused = run("tie");
  EXPECT_THAT(refused, Ended("error"));
  EXPECT_EQ(refused["error_code"], "unsafe_watermark");
  EXPECT_THAT(refused["error"].get<std::string>(), AllOf(HasSubstr("watermark w: its value"), HasSubstr("raw: true")));
  EXPECT_EQ(ids(), "a' OR 1=1 --") << "the table is as it was";
  for (const auto* value : {"0 OR 1=1", "1,2", "2026-01-01", "now()", "'a' 'b'", "1 -- "}) {
    EXPECT_EQ(run("tie", {{"set", {{"w", value}}}})["error_code"], "unsafe_watermark") << value;
  }
  for (const auto* value : {"'1'", "NULL"}) {
    EXPECT_THAT(run("tie", {{"set", {{"w", value}}}}), Ended("success")) << value;
  }
  EXPECT_THAT(ctl({"module", "preview", "tie", "--set", "w=0 OR 1=1"}).err, HasSubstr("is not a single SQL literal"));
}

TEST_P(WatermarkFlow, raw_allows_a_list_of_keys) {
  begin(GetParam());
  src_->execute("INSERT INTO tie VALUES ('a', '1'), ('b', '2'), ('c', '3')");
  apply(cursor_module("SELECT id, v FROM tie WHERE id IN ({w})", "        raw: true\n", "incremental",
                      "\"SELECT '''a'', ''c'''\""));
  EXPECT_THAT(run("tie"), Ended("success"));
  EXPECT_EQ(ids(), "a\nc");
  EXPECT_EQ(json({"watermark", "list", "--module", "tie"}).at(0)["raw"], true);
  EXPECT_EQ(ctl({"watermark", "update", "w", "--module", "tie", "--no-raw"}).exit_code, 0);
  EXPECT_EQ(run("tie")["error_code"], "unsafe_watermark");
}

TEST_P(WatermarkFlow, a_second_statement_is_executed_neither_by_a_run_nor_by_a_preview) {
  begin(GetParam());
  src_->execute("INSERT INTO tie VALUES ('a', '1')");
  apply(cursor_module("SELECT id, v FROM tie WHERE id <> '{w}'", "    enabled: false\n"));
  ASSERT_EQ(ctl({"module", "update", "tie", "--source-query", "SELECT '{w}', '1'; DELETE FROM tie"}).exit_code, 0);
  EXPECT_THAT(ctl({"module", "preview", "tie"}).err, HasSubstr("source_query must be exactly one SELECT"));
  apply(cursor_module("SELECT id, v FROM tie WHERE id <> {w}", "        raw: true\n"));
  const Json attack = {{"set", {{"w", "''; DELETE FROM tie"}}}};
  EXPECT_THAT(run("tie", attack)["error"].get<std::string>(), HasSubstr("must be exactly one SELECT"));
  EXPECT_THAT(ctl({"module", "preview", "tie", "--set", "w=''; DELETE FROM tie"}).err, HasSubstr("exactly one SELECT"));
  EXPECT_EQ(src_->rows("SELECT count(*) FROM tie"), "1");
}

TEST_P(WatermarkFlow, a_negative_number_after_a_minus_is_no_comment) {
  begin(GetParam());
  src_->execute("INSERT INTO tie VALUES ('a', '1')");
  apply(cursor_module("SELECT id, CAST(10 -{w} AS text) FROM tie"));
  EXPECT_THAT(run("tie", {{"set", {{"w", "-5"}}}}), Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT id, v FROM tie"), "a|15");
}

TEST_P(WatermarkFlow, braces_of_json_are_copied_as_they_are) {
  begin(GetParam());
  src_->execute("INSERT INTO tie VALUES ('a', '1')");
  const std::string value = R"({"a":{"b":{"c":1}}} {{x}} }} {{)";
  apply(
      "modules:\n  - name: tie\n    source_connection: src\n    dest_connection: dst\n    dest_table: tie\n"
      "    merge_strategy: full\n    source_query: |-\n      SELECT id, '" +
      value + "' FROM tie -- }} {y}\n");
  EXPECT_THAT(run("tie"), Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT v FROM tie"), value);
  apply(cursor_module(R"(SELECT id, '{"a":{"b":"{w}"}} {{x}} }}' FROM tie)"));
  EXPECT_THAT(run("tie", {{"set", {{"w", "it's"}}}}), Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT v FROM tie"), R"({"a":{"b":"it's"}} {x} }})");
}

std::string in_hexadecimal(const std::string& text) {
  std::string out;
  for (const unsigned char c : text) out += fmt::format("{:02x}", c);
  return out;
}

// Every text of up to three characters that mean something to some database.
std::vector<std::string> difficult_values() {
  std::vector<std::string> values = {""};
  for (size_t from = 0, round = 0; round < 3; ++round) {
    const auto to = values.size();
    for (; from < to; ++from) {
      for (const auto* piece : {"a", "'", "\\", "\"", "\n", "$", ";", "--", "{", "%", "\xc3\xa9"}) {
        values.push_back(values[from] + piece);
      }
    }
  }
  return values;
}

// `query` selects the value's bytes in hexadecimal digits.
void expect_values_arrive(UserDatabase& database, SqlDialect dialect, const std::string& query) {
  size_t arrived = 0;
  for (const auto& value : difficult_values()) {
    const auto made = substitute(query, dialect, {{"w", {value}}});
    const auto* sql = std::get_if<std::string>(&made);
    if (sql == nullptr) continue;
    ASSERT_EQ(database.rows(*sql), in_hexadecimal(value)) << *sql;
    ++arrived;
  }
  EXPECT_GT(arrived, 1000U) << query;
}

TEST(WatermarkValue, is_what_sqlite_reads) {
  const TempDir directory;
  const auto database = new_sqlite(directory.file("values.db"));
  for (const auto* query : {"SELECT lower(hex('{w}')) -- '{w}", "SELECT lower(hex(substr('\\{w}', 2)))"}) {
    expect_values_arrive(*database, SqlDialect::sqlite, query);
  }
}

TEST(WatermarkValue, is_what_postgresql_reads) {
  const auto database = new_postgres();
  for (const auto* query :
       {"SELECT encode(convert_to('{w}', 'UTF8'), 'hex') /* '{w} */",
        "SELECT encode(convert_to(E'{w}', 'UTF8'), 'hex')", "SELECT encode(convert_to($a${w}$a$, 'UTF8'), 'hex')",
        "SELECT encode(convert_to(''\n'{w}', 'UTF8'), 'hex')", "SELECT encode(convert_to(E''\n'{w}', 'UTF8'), 'hex')",
        "SELECT encode(convert_to(substr('\\{w}', 2), 'UTF8'), 'hex')"}) {
    expect_values_arrive(*database, SqlDialect::postgresql, query);
  }
  database->execute("SET standard_conforming_strings = off");
  expect_values_arrive(*database, SqlDialect::postgresql, "SELECT encode(convert_to('{w}', 'UTF8'), 'hex')");
}

class WatermarkNull : public FlowTest {
 protected:
  WatermarkNull() {
    for (auto* database : {src_.get(), dst_.get()}) database->execute("CREATE TABLE tie (id text, v text)");
    src_->execute("INSERT INTO tie VALUES ('a', '1'), ('b', '2')");
    start_worker();
  }
  void use(const std::string& strategy, const std::string& more = {}) {
    apply(cursor_module("SELECT id, v FROM tie WHERE id > '{w}'", more, strategy));
  }
  std::string count() { return dst_->rows("SELECT count(*) FROM tie"); }
};

TEST_F(WatermarkNull, is_an_error_with_append_once_the_module_has_succeeded) {
  use("append");
  const auto first = run("tie");
  EXPECT_THAT(first, Ended("success"));
  EXPECT_THAT(first["defaulted"], IsEmpty()) << "a first run begins from default_value";
  EXPECT_THAT(ctl({"why", "tie"}).out, Not(HasSubstr("default_value")));
  dst_->execute("UPDATE tie SET id = NULL");  // as a resolver answers that cannot read what is there
  const auto refused = run("tie");
  EXPECT_EQ(refused["error_code"], "watermark_null");
  EXPECT_THAT(refused["error"].get<std::string>(), AllOf(HasSubstr("watermark w"), HasSubstr("null: default")));
  EXPECT_EQ(count(), "2") << "nothing is appended again";
  EXPECT_THAT(run("tie", {{"set", {{"w", "b"}}}}), Ended("success"));
  use("append", "        null: default\n");
  const auto allowed = run("tie");
  EXPECT_THAT(allowed, Ended("success"));
  EXPECT_THAT(allowed["defaulted"], ElementsAre("w"));
  EXPECT_EQ(count(), "4");
}

TEST_F(WatermarkNull, is_reported_everywhere_when_default_value_is_used_again) {
  use("incremental");
  run("tie");
  dst_->execute("DELETE FROM tie");
  const auto again = run("tie");
  EXPECT_THAT(again, Ended("success"));
  EXPECT_THAT(again["defaulted"], ElementsAre("w"));
  const auto id = std::to_string(again["id"].get<int64_t>());
  EXPECT_THAT(ctl({"runs", "show", id}).out, HasSubstr("default_value: resolver_sql returned NULL"));
  EXPECT_THAT(ctl({"runs", "logs", id}).out, HasSubstr("warning: watermark w: resolver_sql returned NULL"));
  EXPECT_THAT(ctl({"why", "tie"}).out, HasSubstr("used default_value for watermark w"));
  EXPECT_THAT(run("tie")["defaulted"], IsEmpty());
  EXPECT_THAT(ctl({"why", "tie"}).out, Not(HasSubstr("default_value")));
}

TEST_F(WatermarkNull, is_an_error_with_any_strategy_where_the_watermark_says_so) {
  use("incremental", "        \"null\": error\n");
  EXPECT_THAT(run("tie"), Ended("success"));
  dst_->execute("DELETE FROM tie");
  EXPECT_EQ(run("tie")["error_code"], "watermark_null");
  const auto exported = ctl({"export"}).out;
  EXPECT_THAT(exported, HasSubstr("\"null\": error"));
  const auto file = system_.dir().write("exported.yaml", exported);
  EXPECT_THAT(ctl({"diff", "-f", file}).out, Not(HasSubstr("module tie")));
}

TEST_F(WatermarkNull, means_the_first_run_until_one_has_succeeded) {
  use("append");
  src_->execute("ALTER TABLE tie RENAME TO hidden");
  EXPECT_THAT(run("tie"), Ended("error"));
  EXPECT_THAT(run("tie", {{"dry_run", true}}), Ended("dry_run"));
  src_->execute("ALTER TABLE hidden RENAME TO tie");
  EXPECT_THAT(run("tie", {{"dry_run", true}}), Ended("dry_run"));
  const auto first = run("tie");
  EXPECT_THAT(first, Ended("success"));
  EXPECT_THAT(first["defaulted"], IsEmpty());
}

}  // namespace
}  // namespace pipekit::test
