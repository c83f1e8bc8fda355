#include "shared/placeholder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Names = std::vector<std::string>;
using Values = std::map<std::string, WatermarkValue>;

constexpr auto kSqlite = SqlDialect::sqlite;
constexpr auto kPostgres = SqlDialect::postgresql;
constexpr auto kMysql = SqlDialect::mysql;
constexpr auto kServer = SqlDialect::sqlserver;
constexpr auto kDb2 = SqlDialect::db2;
constexpr auto kGeneric = SqlDialect::generic;
constexpr auto kAll = {kGeneric, kSqlite, kPostgres, kMysql, kServer, kDb2};

std::string text_of(const std::variant<std::string, SubstitutionError>& made) {
  if (const auto* error = std::get_if<SubstitutionError>(&made)) {
    return (error->unsafe ? "unsafe: " : "invalid: ") + error->message;
  }
  return std::get<std::string>(made);
}

std::string put(std::string_view query, SqlDialect dialect, const std::string& value) {
  return text_of(substitute(query, dialect, {{"w", {value}}}));
}

TEST(Placeholder, is_a_name_between_braces) {
  const std::pair<const char*, Names> cases[] = {
      {"SELECT 1", {}},
      {"id > {last_id}", {"last_id"}},
      {"{a} {b} {a}", {"a", "b"}},
      {"{_x9}", {"_x9"}},
      {"{9x} {a b} {} {a-b} {a", {}},
      {"}{a}{", {"a"}},
      {"{{a}}", {}},
      {"{{{a}}}", {"a"}},
      {"'{\"k\": {x}}'", {"x"}},
      {"{\xc3\xa9}", {}},
  };
  for (const auto& [text, names] : cases) EXPECT_EQ(placeholders_in(text, kSqlite).used, names) << text;
}

TEST(Placeholder, in_a_comment_is_text) {
  const auto found = placeholders_in("SELECT {a} -- {b}\n /* {c} {a} */ '--{d}'", kPostgres);
  EXPECT_EQ(found.used, (Names{"a", "d"}));
  EXPECT_EQ(found.in_comments, (Names{"b", "c"}));
  EXPECT_EQ(found.bare, (Names{"a"}));
  EXPECT_EQ(put("{w} -- {x} it's\n/* {y} */", kSqlite, "1"), "1 -- {x} it's\n/* {y} */");
  EXPECT_THAT(put("1 -- {w}", kSqlite, "1"), HasSubstr("invalid: not used in the query: w"));
}

TEST(Braces, are_written_in_pairs_and_are_left_alone_otherwise) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({w} '{"a":{"b":1}}')", R"(7 '{"a":{"b":1}}')"},
      {R"('{"a":{"b":{w}}}')", R"('{"a":{"b":7}}')"},
      {"{w} '{{a}}'", "7 '{a}'"},
      {"'{{{w}}}'", "'{7}'"},
      {"{w} '}}' '{{'", "7 '}}' '{{'"},
      {"{w} '{{a' 'b}}'", "7 '{{a' 'b}}'"},
      {"'{{w}'", "'{7'"},
      {"{w} '{{a {{b}}'", "7 '{{a {b}'"},
      {"{w} '{{ {{a}} }}'", "7 '{ {a} }'"},
      {"{w} {{d '2026-01-01'}}", "7 {d '2026-01-01'}"},
      {"{w} { } {1} {a b}", "7 { } {1} {a b}"},
      {"{w} -- }} {{ it's\n'}'", "7 -- }} {{ it's\n'}'"},
  };
  for (const auto& [text, becomes] : cases) EXPECT_EQ(put(text, kSqlite, "7"), becomes);
}

TEST(Placeholder, is_not_looked_for_in_a_value) {
  EXPECT_EQ(text_of(substitute("'{a}' '{b}'", kSqlite, {{"a", {"{b} }} {{x}}"}}, {"b", {"{a}"}}})),
            "'{b} }} {{x}}' '{a}'");
}

struct Quoted {
  SqlDialect dialect;
  const char* query;
  const char* value;
  const char* becomes;
};

TEST(ValueInQuotes, is_escaped_as_the_dialect_asks_for) {
  const Quoted cases[] = {
      {kSqlite, "id > '{w}'", "O'Brien", "id > 'O''Brien'"},
      {kSqlite, "id > '{w}'", "zz' UNION SELECT name, pay FROM salaries -- ",
       "id > 'zz'' UNION SELECT name, pay FROM salaries -- '"},
      {kSqlite, "id > '{w}'", R"(a\)", R"(id > 'a\')"},
      {kSqlite, "'a{w}b'", "\n'\"`", "'a\n''\"`b'"},
      {kSqlite, R"("{w}" `{w}` [{w}])", "a\"`", R"("a""`" `a"``` [a"`])"},
      {kPostgres, "'{w}'", "it's", "'it''s'"},
      {kPostgres, "'{w}'", R"(\'; DROP)", R"(E'\\''; DROP')"},
      {kPostgres, "timestamp'{w}'", R"(\)", R"(timestamp E'\\')"},
      {kPostgres, R"('\d{w}')", R"(\)", R"(E'\\d\\')"},
      {kPostgres, R"(E'\\{w}')", R"(\')", R"(E'\\\\''')"},
      {kPostgres, "N'{w}'", R"(\')", R"(N'\''')"},
      {kPostgres, "'{w}'\n'\\d'", R"(\')", "'\\'''\n'\\d'"},
      {kPostgres, "$a${w}$a$", R"(it's $$ \)", R"($a$it's $$ \$a$)"},
      {kPostgres, "U&'{w}' X'{w}'", "00", "U&'00' X'00'"},
      {kMysql, R"('{w}' "{w}" `{w}`)", R"(a'"`\)", R"('a''"`\\' "a'""`\\" `a'"``\`)"},
      {kServer, "N'{w}' [{w}]", R"(a]'\)", R"(N'a]''\' [a]]'\])"},
      {kDb2, R"('{w}' "{w}")", R"(a'"\)", R"('a''"\' "a'""\")"},
      {kGeneric, R"('{w}' "{w}")", R"(a'")", R"('a''"' "a'""")"},
  };
  for (const auto& one : cases) EXPECT_EQ(put(one.query, one.dialect, one.value), one.becomes) << one.query;
}

TEST(ValueInQuotes, is_refused_where_no_escape_makes_it_safe) {
  const Quoted cases[] = {
      {kPostgres, "$a${w}$a$", "x $a$ y", "contains $a$"},
      {kPostgres, "$a${w}$a$", "x $a", "contains $a$"},
      {kPostgres, "U&'{w}'", R"(\0027)", "reads as codes"},
      {kSqlite, "[{w}]", "a]", "contains a ]"},
      {kServer, "'{w}\n'", R"(a\)", "line of a string ends with a backslash"},
      {kServer, "'{w}'", "a\\\nb", "line of a string ends with a backslash"},
      {kGeneric, "'{w}'", R"(a\)", "contains a backslash"},
  };
  for (const auto& one : cases) {
    EXPECT_THAT(put(one.query, one.dialect, one.value), AllOf(HasSubstr("unsafe: "), HasSubstr(one.becomes)));
  }
  for (const auto dialect : kAll) {
    EXPECT_THAT(put("'{w}'", dialect, std::string("a\0b", 3)), HasSubstr("NUL character"));
    EXPECT_THAT(put("'{w}'", dialect, "a\xbf'"), HasSubstr("not valid UTF-8"));
    EXPECT_THAT(put("'{w}'", dialect, "\xc0\xa7"), HasSubstr("not valid UTF-8"));
  }
}

TEST(ValueWithoutQuotes, is_a_single_literal) {
  for (const auto* value : {"0", "-5", "+5", "1.5", ".5", "5.", "1e10", "-1.5E-3", "'it''s'", "''", "NULL", "null",
                            "TRUE", "DATE '2026-01-01'", "timestamp'2026-01-01 00:00:00'",
                            "TIMESTAMP WITH TIME ZONE '2026-01-01 00:00:00+00'", "INTERVAL '1 day'", "X'00ff'"}) {
    EXPECT_EQ(put("x > {w}", kPostgres, value), std::string("x > ") + value);
  }
  EXPECT_EQ(put("x > {w}", kPostgres, " 7 \n"), "x > 7");
  EXPECT_EQ(put("x > {w}", kPostgres, R"(E'a\'b')"), R"(x > E'a\'b')");
  EXPECT_EQ(put("x > {w}", kMysql, R"('a\'b')"), R"(x > 'a\'b')");
}

TEST(ValueWithoutQuotes, is_refused_when_it_is_anything_else) {
  for (const auto dialect : kAll) {
    for (const auto* value : {"",
                              " ",
                              "1 OR 1=1",
                              "1,2",
                              "2026-01-01",
                              "2026-01-01 09:00",
                              "now()",
                              "a",
                              "a.b",
                              "\"a\"",
                              "`a`",
                              "[a]",
                              "1;",
                              "(1)",
                              "1--",
                              "1/**/",
                              "--1",
                              "- 5",
                              "1e",
                              "1e5x",
                              ".",
                              "-",
                              "0x10",
                              "NaN",
                              "'a' 'b'",
                              "'a'||'b'",
                              "'a",
                              "a'",
                              "'a'''b'",
                              "'a'--'",
                              "DATE",
                              "?",
                              "DATE 'a' OR 'b'",
                              "DATE /* */ 'a'",
                              "CURRENT_DATE",
                              "$$a$$",
                              "@a",
                              ":a",
                              "{w}",
                              "DATE 'a' 'b'",
                              "'a';'b'",
                              "1\n2",
                              "'a'\n'b'",
                              "NULL NULL",
                              "TIME ZONE 'a'"}) {
      EXPECT_THAT(put("x > {w}", dialect, value), HasSubstr("unsafe: watermark w: its value")) << value;
    }
  }
  EXPECT_THAT(put("x > {w}", kPostgres, R"('a\')"), HasSubstr("unsafe")) << "the server may read an escape there";
  EXPECT_THAT(put("x > {w}", kMysql, R"('a\')"), HasSubstr("unsafe"));
  EXPECT_THAT(put("x > {w}", kGeneric, R"('a\')"), HasSubstr("unsafe"));
  const auto refused = std::get<SubstitutionError>(substitute("x\n > {w}", kSqlite, {{"w", {"a'b"}}}));
  EXPECT_THAT(refused.message,
              HasSubstr("\"a'b\" is not a single SQL literal, and {w} has no quotes around it (source_query, line 2)"));
  EXPECT_THAT(refused.hint, AllOf(HasSubstr("'{w}'"), HasSubstr("raw: true")));
}

TEST(ValueWithoutQuotes, never_joins_what_is_next_to_it) {
  EXPECT_EQ(put("x -{w}", kSqlite, "-5"), "x - -5") << "-- would begin a comment";
  EXPECT_EQ(put("x={w}+1", kSqlite, "-5"), "x= -5+1");
  EXPECT_EQ(put("x={w}", kSqlite, "5"), "x=5");
  EXPECT_EQ(put("f({w},{w})", kSqlite, "-5"), "f(-5,-5)");
  EXPECT_EQ(put("{w}::int", kPostgres, "5"), "5::int");
  EXPECT_THAT(put("x --{w}", kMysql, "-5"), HasSubstr("unsafe"));
  for (const auto dialect : kAll) {
    for (const auto* query : {"t_{w}", "{w}abc", "1{w}", "{w}1", "{w}.5", "a.{w}", "'a'{w}", "{w}'a'", "\"a\"{w}",
                              "E{w}", "{w}e5", "{w}{w}", "{{{w}}}", "\xc3\xa9{w}"}) {
      EXPECT_THAT(put(query, dialect, "5"), HasSubstr("unsafe")) << query;
    }
    EXPECT_THAT(put("{w} 'b'", dialect, "'a'"), HasSubstr("another one next to it"));
    EXPECT_THAT(put("'b' -- c\n {w}", dialect, "'a'"), HasSubstr("another one next to it"));
  }
  EXPECT_THAT(put("@a({w})", kSqlite, "5"), HasSubstr("one variable"));
  for (const auto* query : {"x > :{w}", "x > ?{w}", "x > @{w}", "x > ${w}"}) {
    EXPECT_THAT(put(query, kSqlite, "5"), HasSubstr("touches the text next to it")) << query;
  }
}

TEST(Query, is_refused_when_it_is_not_certain_what_its_literals_are) {
  const std::pair<SqlDialect, const char*> cases[] = {
      {kSqlite, "'{w}"},
      {kPostgres, "{w} /* a"},
      {kMysql, "{w} /*! a */"},
      {kGeneric, R"('\' || '{w}')"},
      {kGeneric, "{w} /* /* */ */"},
      {kGeneric, "{w} # a"},
      {kGeneric, "{w} --a"},
      {kGeneric, "{w} $$ a $$"},
      {kGeneric, "{w} q'[it's]'"},
      {kMysql, "-- a\r{w}\n {w}"},
      {kServer, "-- a\r\r\n {w}"},
  };
  for (const auto& [dialect, query] : cases) {
    EXPECT_THAT(put(query, dialect, "5"), HasSubstr("unsafe: source_query, line 1: ")) << query;
    EXPECT_EQ(unsafe_places(query, dialect, {}).size(), 1U) << query;
    EXPECT_TRUE(unsafe_places(query, dialect, {"w"}).empty()) << "raw values go in as they are";
  }
  EXPECT_THAT(put(R"(E'\{w}')", kPostgres, "n"), HasSubstr("the backslash before {w} would change its value"));
  EXPECT_TRUE(unsafe_places(R"('\' # $$)", kGeneric, {}).empty())
      << "without a placeholder it is the database's matter";
}

TEST(RawValue, goes_in_as_it_is) {
  EXPECT_EQ(text_of(substitute("x IN ({w})", kSqlite, {{"w", {"1, 2, 'a'", true}}})), "x IN (1, 2, 'a')");
  EXPECT_EQ(text_of(substitute("FROM t_{w}", kSqlite, {{"w", {"2026", true}}})), "FROM t_2026");
  EXPECT_EQ(text_of(substitute("'{w}'", kSqlite, {{"w", {"a''b", true}}})), "'a''b'");
  EXPECT_EQ(text_of(substitute("x IN ({w}) AND y = '{v}'", kSqlite, {{"w", {"1, 2", true}}, {"v", {"it's"}}})),
            "x IN (1, 2) AND y = 'it''s'");
  EXPECT_THAT(text_of(substitute("{w}", kSqlite, {{"w", {std::string("1\0", 2), true}}})), HasSubstr("NUL"));
}

TEST(Placeholder, refuses_what_has_no_value_and_what_is_not_used) {
  const struct {
    const char* text;
    Values values;
    const char* message;
  } cases[] = {
      {"{a} {b}", {}, "invalid: no value for {a}, {b}"},
      {"1", {{"a", {"1"}}, {"b", {"2"}}}, "invalid: not used in the query: a, b"},
      {"{a}", {{"b", {"2"}}}, "invalid: no value for {a}; not used in the query: b"},
      {"{{a}}", {{"a", {"2"}}}, "invalid: not used in the query: a"},
  };
  for (const auto& one : cases) EXPECT_EQ(text_of(substitute(one.text, kSqlite, one.values)), one.message);
}

TEST(Placeholder, is_found_in_a_long_text_of_braces_in_one_pass) {
  const std::string braces(2'000'001, '{');
  EXPECT_TRUE(placeholders_in(braces, kSqlite).used.empty());
  EXPECT_EQ(text_of(substitute("'" + braces + "' {w}", kSqlite, {{"w", {"1"}}})), "'" + braces + "' 1");
}

TEST(Placeholder, long_names_that_are_not_closed_cost_no_more_than_one_pass) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "{abcdefgh";
  EXPECT_TRUE(placeholders_in(text, kSqlite).used.empty());
}

TEST(Placeholder, names_are_identifiers) {
  for (const auto* name : {"a", "_", "A9_z"}) EXPECT_TRUE(is_placeholder_name(name)) << name;
  for (const auto* name : {"", "9a", "a-b", "a b", "\xc3\xa9"}) EXPECT_FALSE(is_placeholder_name(name)) << name;
}

}  // namespace
}  // namespace pipekit
