#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "worker/jrunner/sql_script.h"

namespace pipekit::jrunner {
namespace {

struct SplitCase {
  const char* name;
  std::string script;
  std::vector<std::string> statements;
};

std::vector<std::string> texts(const std::vector<ScriptStatement>& statements) {
  std::vector<std::string> result;
  for (const auto& statement : statements) result.emplace_back(statement.text);
  return result;
}

class SplitPostgres : public ::testing::TestWithParam<SplitCase> {};

TEST_P(SplitPostgres, finds_the_statements) {
  EXPECT_EQ(texts(split_postgres(GetParam().script)), GetParam().statements);
}

INSTANTIATE_TEST_SUITE_P(
    Scripts, SplitPostgres,
    ::testing::ValuesIn(std::vector<SplitCase>{
        {"empty", "", {}},
        {"only_space_comments_and_semicolons", " ;; -- x; y\n/* ; */ ;", {}},
        {"one_without_semicolon", "SELECT 1", {"SELECT 1"}},
        {"one_with_crlf", "SELECT 1;\r\nSELECT\r\n2;\r\n", {"SELECT 1", "SELECT\r\n2"}},
        {"doubled_quotes", "SELECT 'a;''b;', \"c;\"\"d;\"; x", {"SELECT 'a;''b;', \"c;\"\"d;\"", "x"}},
        {"backslash_is_plain_in_a_string", "SELECT 'a\\'; x", {"SELECT 'a\\'", "x"}},
        {"backslash_escapes_after_e", "SELECT E'a\\';', e'\\\\'; x", {"SELECT E'a\\';', e'\\\\'", "x"}},
        {"a_name_that_ends_in_e_is_no_prefix", "SELECT type'a\\'; x", {"SELECT type'a\\'", "x"}},
        {"other_prefixes",
         "SELECT U&'\\0061;', B'01', X'a;', N'b;'; x",
         {"SELECT U&'\\0061;', B'01', X'a;', N'b;'", "x"}},
        {"dollar_quotes", "DO $$ a; 'b $$; DO $t$ $$; $x$ ; $t$; x", {"DO $$ a; 'b $$", "DO $t$ $$; $x$ ; $t$", "x"}},
        {"dollars_that_open_nothing", "SELECT $1; SELECT a$b$, c$; x$b$", {"SELECT $1", "SELECT a$b$, c$", "x$b$"}},
        {"dollar_tag_of_other_letters", "SELECT $é_1$ ; $é_1$; x", {"SELECT $é_1$ ; $é_1$", "x"}},
        {"comments_nest", "SELECT /* a; /* b; */ c; */ 1; x", {"SELECT /* a; /* b; */ c; */ 1", "x"}},
        {"a_slash_does_not_end_what_it_opened", "SELECT /*/ ; */ 1; x", {"SELECT /*/ ; */ 1", "x"}},
        {"line_comment_at_the_end", "SELECT 1 -- ; ' /*", {"SELECT 1 -- ; ' /*"}},
        {"comments_before_are_kept", "/*+ hint */ SELECT 1;", {"/*+ hint */ SELECT 1"}},
        {"quotes_in_comments", "-- it's\nSELECT 1; /* \" */ x", {"-- it's\nSELECT 1", "/* \" */ x"}},
        {"parentheses",
         "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b); x",
         {"CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)", "x"}},
        {"a_closing_parenthesis_too_many", "SELECT 1); x", {"SELECT 1)", "x"}},
        {"atomic_body",
         "CREATE FUNCTION f() RETURNS int BEGIN\n atomic SELECT 1; SELECT CASE WHEN true THEN 2 END; END; x",
         {"CREATE FUNCTION f() RETURNS int BEGIN\n atomic SELECT 1; SELECT CASE WHEN true THEN 2 END; END", "x"}},
        {"begin_is_a_statement",
         "BEGIN; UPDATE t SET a = CASE WHEN b THEN 1 END; END; x",
         {"BEGIN", "UPDATE t SET a = CASE WHEN b THEN 1 END", "END", "x"}},
        {"unterminated_runs_to_the_end", "SELECT 1; SELECT 'a; x", {"SELECT 1", "SELECT 'a; x"}},
        {"unterminated_dollar_quote", "DO $a$ ; $b$", {"DO $a$ ; $b$"}},
        {"unterminated_comment", "SELECT 1; /* ; /* */", {"SELECT 1"}},
        {"standard_backslash_at_the_end", "SELECT E'\\", {"SELECT E'\\"}},
    }),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(SplitPostgresStatements, know_their_line_and_where_their_code_begins) {
  const auto statements = split_postgres("-- one\nSELECT 1;\n\n/* two\n */ SELECT\n 2;SELECT 3");
  ASSERT_EQ(statements.size(), 3U);
  EXPECT_EQ(statements[0].line, 2U);
  EXPECT_EQ(statements[0].text.substr(statements[0].code), "SELECT 1");
  EXPECT_EQ(statements[1].line, 5U);
  EXPECT_EQ(statements[2].line, 6U);
}

TEST(SplitPostgresStatements, old_strings_have_backslash_escapes) {
  EXPECT_EQ(texts(split_postgres("SELECT 'a\\';'; x", false)), (std::vector<std::string>{"SELECT 'a\\';'", "x"}));
}

TEST(SplitPostgresStatements, every_prefix_of_a_script_is_split_within_bounds) {
  const std::string script =
      "SELECT E'\\'', $t$ ; $t$, \"a\"\"b\" /* /* */ */; CREATE FUNCTION f() BEGIN ATOMIC x; END; -- y";
  for (size_t size = 0; size <= script.size(); ++size) {
    for (const auto& statement : split_postgres(script.substr(0, size))) EXPECT_FALSE(statement.text.empty());
  }
}

TEST(SqliteBlank, skips_space_semicolons_and_comments_that_do_not_nest) {
  EXPECT_EQ(skip_sqlite_blank(" ;\r\n-- a\n/* /* */ ; x", 0), 20U);
  EXPECT_EQ(skip_sqlite_blank("x ; ", 1), 4U);
  EXPECT_EQ(skip_sqlite_blank("/* open", 0), 7U);
  EXPECT_EQ(skip_sqlite_blank("-", 0), 0U);
}

TEST(ScriptText, a_byte_order_mark_is_no_sql) {
  EXPECT_EQ(without_byte_order_mark("\xEF\xBB\xBFSELECT 1"), "SELECT 1");
  EXPECT_EQ(without_byte_order_mark("SELECT 1"), "SELECT 1");
}

TEST(ScriptText, a_first_line_is_cut_between_characters) {
  EXPECT_EQ(first_line("SELECT\r\n 1"), "SELECT");
  std::string text(119, 'x');
  EXPECT_EQ(first_line(text + "ääää"), text + "...");
}

}  // namespace
}  // namespace pipekit::jrunner
