#include "shared/sql_scanner.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pipekit {
namespace {

struct SplitCase {
  const char* name;
  std::string script;
  std::vector<std::string> statements;
};

std::vector<std::string> texts(const std::vector<SqlStatement>& statements) {
  std::vector<std::string> result;
  for (const auto& statement : statements) result.emplace_back(statement.text);
  return result;
}

std::vector<SqlStatement> split_postgres(std::string_view script, bool standard_strings = true) {
  return split_sql(script, SqlDialect::postgresql, standard_strings);
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
        {"a_literal_goes_on_in_the_next_line_with_its_escapes",
         "SELECT E'a' -- c\n '\\';', 'b' '\\'; x",
         {"SELECT E'a' -- c\n '\\';', 'b' '\\'", "x"}},
        {"a_carriage_return_ends_a_comment", "-- a\rSELECT 1; -- b;\r\nx", {"-- a\rSELECT 1", "-- b;\r\nx"}},
        {"a_number_takes_no_dollar", "SELECT 1$a$ ; $a$; x", {"SELECT 1$a$ ; $a$", "x"}},
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

struct TokenCase {
  const char* name;
  SqlDialect dialect;
  std::string text;
  std::vector<std::string> tokens;  // without blanks; an open one ends with ~, an ambiguous one with ?
};

std::vector<std::string> shown(std::string_view text, SqlDialect dialect) {
  std::vector<std::string> all;
  for (const auto& token : scan_sql(text, dialect)) {
    if (token.kind == SqlKind::space) continue;
    all.push_back(std::string(token.text) + (token.closed ? "" : "~") + (token.ambiguous ? "?" : ""));
  }
  return all;
}

class SqlTokens : public ::testing::TestWithParam<TokenCase> {};

TEST_P(SqlTokens, end_where_the_database_ends_them) {
  EXPECT_EQ(shown(GetParam().text, GetParam().dialect), GetParam().tokens);
}

constexpr auto kSqlite = SqlDialect::sqlite;
constexpr auto kPostgres = SqlDialect::postgresql;
constexpr auto kMysql = SqlDialect::mysql;
constexpr auto kServer = SqlDialect::sqlserver;
constexpr auto kDb2 = SqlDialect::db2;
constexpr auto kGeneric = SqlDialect::generic;

INSTANTIATE_TEST_SUITE_P(
    Dialects, SqlTokens,
    ::testing::ValuesIn(std::vector<TokenCase>{
        {"sqlite_quotes",
         kSqlite,
         R"('a''b\' "c""d" `e``f` [g"h] X'00')",
         {R"('a''b\')", R"("c""d")", "`e``f`", R"([g"h])", "X'00'"}},
        {"sqlite_brackets_are_not_doubled", kSqlite, "[a]]", {"[a]", "]"}},
        {"sqlite_comments_do_not_nest", kSqlite, "/* /* */ a */", {"/* /* */", "a", "*", "/"}},
        {"sqlite_variables", kSqlite, "@a :b $c::d(e' f) #g", {"@a", ":b", "$c::d(e'", "f", ")", "#g"}},
        {"sqlite_has_no_dollar_quotes", kSqlite, "$ $ 'a' $ $", {"$", "$", "'a'", "$", "$"}},
        {"sqlite_has_no_e_prefix", kSqlite, R"(E'a\' b)", {"E", R"('a\')", "b"}},
        {"sqlite_operators", kSqlite, "a / b - c", {"a", "/", "b", "-", "c"}},
        {"postgres_unicode_escapes", kPostgres, R"(U&'a''b' u&"c" u & 'd')", {"U&'a''b'", R"(u&"c")", "u", "&", "'d'"}},
        {"postgres_brackets_are_indexes", kPostgres, "a['b'] `", {"a", "[", "'b'", "]", "`"}},
        {"postgres_cast", kPostgres, "a::text", {"a", ":", ":", "text"}},
        {"mysql_quotes", kMysql, R"('a\'b' "c\"d" `e\` f)", {R"('a\'b')", R"("c\"d")", R"(`e\`)", "f"}},
        {"mysql_dashes_need_a_blank", kMysql, "5--2 -- c\n#d\nx", {"5", "-", "-", "2", "-- c\n", "#d\n", "x"}},
        {"mysql_dashes_at_the_end", kMysql, "a --", {"a", "--"}},
        {"mysql_conditional_comments", kMysql, "/*! a */ /* b */", {"/*! a */?", "/* b */"}},
        {"server_brackets_are_doubled", kServer, "[a]]'b] c N'd''e' @x #y", {"[a]]'b]", "c", "N'd''e'", "@x", "#y"}},
        {"server_backslash_is_plain", kServer, R"('a\' b)", {R"('a\')", "b"}},
        {"server_comments_nest", kServer, "/* /* */ a */ b", {"/* /* */ a */", "b"}},
        {"db2_prefixes", kDb2, "GX'00' UX'00' BX'00' x#y$", {"GX'00'", "UX'00'", "BX'00'", "x#y$"}},
        {"generic_is_unsure_of_backslashes", kGeneric, R"('a\' 'b')", {R"('a\'?)", "'b'"}},
        {"generic_is_unsure_of_nested_comments", kGeneric, "/* /* */ /* a */", {"/* /* */?", "/* a */"}},
        {"generic_is_unsure_of_dollars", kGeneric, "$a$ $1", {"$?", "a$", "$", "1"}},
        {"generic_is_unsure_of_hash", kGeneric, "#a", {"#?", "a"}},
        {"generic_is_unsure_of_dashes_without_a_blank", kGeneric, "a --b\n--", {"a", "--b\n?", "--"}},
        {"generic_is_unsure_of_oracle_quotes", kGeneric, "q'[it]'", {"q?", "'[it]'"}},
        {"generic_index", kGeneric, "a[1] b[']']", {"a", "[", "1", "]", "b", "[?", "']'", "]"}},
        {"open_string", kSqlite, "'a", {"'a~"}},
        {"open_name", kServer, "[a]]", {"[a]]~"}},
        {"open_comment", kPostgres, "/* /* */", {"/* /* */~"}},
        {"open_dollar_quote", kPostgres, "$a$ $b$", {"$a$ $b$~"}},
        {"numbers", kSqlite, "1e-5 .5 0x1F 1.e+2 1-2", {"1e-5", ".", "5", "0x1F", "1.e+2", "1", "-", "2"}},
    }),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(SqlTokensOfEveryDialect, are_the_text_byte_for_byte_wherever_it_is_cut) {
  const std::string text =
      "SELECT E'\\'', U&'a' \"b\"\"c\" [d]]e] `f` $t$ ; $t$ -- g\r\n/* /* */ */ #h\n@i $j(k) q'[l]' 1e+5 \xC3\xA9 {m} "
      "x'00' ; /*! n */ --o\n'";
  for (const auto dialect : {kGeneric, kSqlite, kPostgres, kMysql, kServer, kDb2}) {
    for (size_t size = 0; size <= text.size(); ++size) {
      std::string together;
      for (const auto& token : scan_sql(std::string_view(text).substr(0, size), dialect)) {
        ASSERT_FALSE(token.text.empty());
        ASSERT_LE(token.open + token.close, token.text.size());
        together += token.text;
      }
      ASSERT_EQ(together, text.substr(0, size)) << to_string(dialect);
    }
  }
}

TEST(SqlTokensOfEveryDialect, cost_one_pass_however_deep_comments_and_quotes_are) {
  for (const auto* piece : {"/* ", "*/ ", "/*/", "$a", "$a$ ", "' ", "[", "(", "--\n", "q'", "@a("}) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += piece;
    for (const auto dialect : {kGeneric, kSqlite, kPostgres, kMysql, kServer}) {
      EXPECT_FALSE(scan_sql(text, dialect).empty());
    }
  }
}

TEST(SqlDialect, follows_from_the_url) {
  EXPECT_EQ(sql_dialect_of("jdbc:sqlite:/a"), kSqlite);
  EXPECT_EQ(sql_dialect_of("jdbc:postgresql://h/d"), kPostgres);
  EXPECT_EQ(sql_dialect_of("jdbc:mariadb://h/d"), kMysql);
  EXPECT_EQ(sql_dialect_of("jdbc:sqlserver://h"), kServer);
  EXPECT_EQ(sql_dialect_of("jdbc:as400://h"), kDb2);
  EXPECT_EQ(sql_dialect_of("jdbc:oracle:thin:@h"), kGeneric);
}

TEST(UnclosedPiece, is_named_with_its_line) {
  const auto open = unclosed_in("SELECT 'a'\n, 'b\n", kSqlite);
  ASSERT_TRUE(open);
  EXPECT_EQ(open->what, "string");
  EXPECT_EQ(open->line, 2U);
  EXPECT_EQ(unclosed_in("SELECT \"a", kPostgres)->what, "quoted name");
  EXPECT_EQ(unclosed_in("SELECT /* a", kPostgres)->what, "comment");
  EXPECT_FALSE(unclosed_in("SELECT 'it''s' -- '", kPostgres));
}

TEST(SplitOfADialect, keeps_bodies_of_triggers_and_routines_together) {
  const std::string trigger =
      "CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = CASE WHEN d THEN 1 ELSE 2 END; DELETE FROM e; END";
  EXPECT_EQ(texts(split_sql(trigger + "; x", kSqlite)), (std::vector<std::string>{trigger, "x"}));
  const std::string routine =
      "CREATE PROCEDURE p() BEGIN IF a THEN BEGIN b; END; END IF; CASE c WHEN 1 THEN d; END CASE; END";
  EXPECT_EQ(texts(split_sql(routine + "; x", kMysql)), (std::vector<std::string>{routine, "x"}));
  EXPECT_EQ(texts(split_sql("BEGIN; a; END; x", kSqlite)), (std::vector<std::string>{"BEGIN", "a", "END", "x"}));
}

}  // namespace
}  // namespace pipekit
