#include "ctl/definition_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temp_dir.h"

namespace pipekit::ctl {
namespace {

using test::TempDir;
using testing::HasSubstr;

Json document_of(const std::string& yaml) {
  const auto set = parse_definitions("defs.yaml", yaml);
  EXPECT_TRUE(set.ok()) << set.error().message;
  return set.ok() ? set->document : Json();
}

std::string refusal_of(const std::string& yaml) {
  const auto set = parse_definitions("defs.yaml", yaml);
  if (set.ok()) return "accepted: " + set->document.dump();
  EXPECT_EQ(set.error().code, ErrorCode::kInvalid);
  return set.error().message;
}

constexpr const char* kWhole = R"(
connections:
  - name: erp
    driver: sqlite
    jdbc_url: jdbc:sqlite:/data/erp.db
  - {name: warehouse, driver: postgresql, jdbc_url: "jdbc:postgresql://h/wh", password: $WH, required_tags: [site:plant2], max_sessions: 4}
modules:
  - name: orders
    source_connection: erp
    dest_connection: warehouse
    dest_table: sales.orders
    source_query: |
      SELECT id FROM orders
      WHERE id > {last_id}
    merge_strategy: incremental
    merge_key: id
    unique_key: false
    retries: 0
    max_shrink_pct: 50
    watermarks:
      - {name: last_id, connection: warehouse, resolver_sql: "SELECT max(id) FROM sales.orders", default_value: 0}
    hooks:
      - {run_order: 1, connection: warehouse, sql: "ANALYZE sales.orders", run_on: success}
groups:
  - name: nightly
    stop_on_failure: true
    members: [orders, [a, b], {module: c, run_order: 9}, d]
    schedules:
      - {cron_expr: "0 20 2 * * *", timezone: America/New_York, misfire: latest}
      - {kind: interval, every_s: 3600}
)";

TEST(DefinitionFile, becomes_one_document) {
  const auto document = document_of(kWhole);
  const auto& order = document["modules"][0];
  EXPECT_EQ(order["source_query"], "SELECT id FROM orders\nWHERE id > {last_id}\n");
  EXPECT_EQ(order["merge_key"], "id");
  EXPECT_EQ(order["unique_key"], false);
  EXPECT_EQ(order["retries"], 0);
  EXPECT_EQ(order["max_shrink_pct"], 50);
  EXPECT_EQ(order["watermarks"][0]["default_value"], "0");
  EXPECT_EQ(order["hooks"][0]["run_order"], 1);
  EXPECT_FALSE(order.contains("timeout_s"));
  EXPECT_EQ(document["connections"][1]["required_tags"], Json::array({"site:plant2"}));
  EXPECT_EQ(document["groups"][0]["schedules"][0]["cron_expr"], "0 20 2 * * *");
  EXPECT_EQ(document["groups"][0]["schedules"][1]["every_s"], 3600);
  EXPECT_FALSE(document.contains("drivers"));
}

TEST(DefinitionFile, members_are_numbered_and_a_nested_list_runs_side_by_side) {
  EXPECT_EQ(document_of(kWhole)["groups"][0]["members"], Json::parse(R"([{"module": "orders", "run_order": 1},
      {"module": "a", "run_order": 2}, {"module": "b", "run_order": 2}, {"module": "c", "run_order": 9},
      {"module": "d", "run_order": 10}])"));
}

TEST(DefinitionFile, every_path_has_its_line) {
  const auto set = parse_definitions("defs.yaml", kWhole);
  ASSERT_TRUE(set.ok());
  const std::pair<const char*, int> cases[] = {{"connections[0]", 3},
                                               {"connections[1].password", 6},
                                               {"modules[0].merge_strategy", 15},
                                               {"modules[0].watermarks[0].name", 21},
                                               {"groups[0].members[2]", 27},
                                               {"groups[0].schedules[1].every_s", 30},
                                               {"modules[0].timeout_s", 8},         // absent: the line of its module
                                               {"modules[0].watermarks[7].x", 21},  // absent: the line of the list
                                               {"modules", 8}};
  for (const auto& [path, line] : cases) {
    const auto* at = set->locate(path);
    ASSERT_NE(at, nullptr) << path;
    EXPECT_EQ(at->line, line) << path;
    EXPECT_EQ(at->file, "defs.yaml");
  }
  EXPECT_EQ(set->locate(""), nullptr);
  EXPECT_EQ(set->locate("drivers[0].name"), nullptr);
}

TEST(DefinitionFile, without_definitions_is_nothing) {
  for (const auto* yaml : {"", "\n\n# only a comment\n", "---\n", "modules:\n", "modules: []\n", "~\n"}) {
    const auto set = parse_definitions("defs.yaml", yaml);
    ASSERT_TRUE(set.ok()) << yaml;
    for (const auto& [name, list] : set->document.items()) EXPECT_TRUE(list.empty()) << yaml;
  }
}

TEST(DefinitionFile, text_stays_as_written_and_null_is_absent) {
  const auto module = document_of(
      "modules:\n- {name: 007, source_query: 010, dest_table: true, watermarks: [{name: a, default_value: 1.50}], "
      "min_rows: null, merge_key: ~, hooks: null }\n")["modules"][0];
  EXPECT_EQ(module["name"], "007");
  EXPECT_EQ(module["source_query"], "010");
  EXPECT_EQ(module["dest_table"], "true");
  EXPECT_EQ(module["watermarks"][0]["default_value"], "1.50");
  for (const auto* key : {"min_rows", "merge_key", "hooks"}) EXPECT_FALSE(module.contains(key)) << key;
}

TEST(DefinitionFile, a_null_that_nobody_wrote_is_refused) {
  const std::string before = "modules:\n- name: a\n";
  const std::pair<const char*, const char*> cases[] = {
      {"  unique_key", "defs.yaml:3: unique_key has no colon and no value"},
      {"  unique_key\n", "defs.yaml:3: unique_key has no colon and no value"},
      {"  unique_key:\n", "defs.yaml:3: unique_key has no value; write one, or remove the line"},
      {"  min_rows:\n  retries: 1\n", "defs.yaml:3: min_rows has no value"},
      {"  merge_key: # none\n", "defs.yaml:3: merge_key has no value"},
      {"  hooks:\n", "defs.yaml:3: hooks has no value"},
      {"  enabled: NULL\n", "defs.yaml:3: enabled is NULL; write null for no value, or 'NULL' in quotes for the text"},
      {"  watermarks: [{name: w, default_value: Null}]\n", "defs.yaml:3: default_value is Null"},
      {"  watermarks: [{name: w, default_value: }]\n", "defs.yaml:3: default_value has no value"},
      {"  dest_table: &x\n  source_query: *x\n", "defs.yaml:3: dest_table has no value"},
  };
  for (const auto& [rest, message] : cases) EXPECT_THAT(refusal_of(before + rest), HasSubstr(message)) << rest;
  for (const auto* bom : {"", "\xef\xbb\xbf"}) {
    EXPECT_FALSE(document_of(bom + before + "  min_rows: null\r\n  retries: ~\r\n  dest_table: &x null\n")["modules"][0]
                     .contains("min_rows"));
  }
  EXPECT_THAT(refusal_of("groups: []\nmodules"), HasSubstr("defs.yaml:2: modules has no colon"));
}

TEST(DefinitionFile, what_yaml_would_read_differently_is_text_or_refused) {
  for (const auto* text :
       {"yes", "010", "0x1f", "1_000", "1e3", "1.50", "2026-03-01", "12:30:00", "0o17", ".inf", "on"}) {
    EXPECT_EQ(document_of(fmt::format("modules:\n- name: {}\n  merge_key: [{}]\n", text, text))["modules"][0],
              (Json{{"name", text}, {"merge_key", {text}}}));
  }
  for (const auto* value : {"yes", "on", "1", "0", "Yes", "y", "enabled"}) {
    EXPECT_THAT(refusal_of(fmt::format("modules:\n- enabled: {}\n", value)), HasSubstr("defs.yaml:2: enabled must be"));
  }
  for (const auto* value : {"1_000", "0o17", "0x1f", "1e3", "1.0", "+1", "12:30", "1,000", ".5", "١"}) {
    EXPECT_THAT(refusal_of(fmt::format("modules:\n- min_rows: \"{}\"\n", value)), HasSubstr("defs.yaml:2: min_rows"));
    EXPECT_THAT(refusal_of(fmt::format("modules:\n- min_rows: {}\n", value)), HasSubstr("defs.yaml:2: min_rows"));
  }
  for (const auto* value : {"!!str 5", "!!binary aGk=", "!custom x", "!!int \"5\""}) {
    EXPECT_THAT(refusal_of(fmt::format("modules:\n- name: {}\n", value)),
                HasSubstr("defs.yaml:2: tags are not supported"));
  }
}

TEST(DefinitionFile, line_breaks_that_only_some_readers_know_are_refused) {
  for (const auto& [text, name] :
       {std::pair{"\xC2\x85", "U+0085"}, std::pair{"\xE2\x80\xA8", "U+2028"}, std::pair{"\xE2\x80\xA9", "U+2029"}}) {
    EXPECT_THAT(refusal_of(fmt::format("modules:\n- name: a{}b\n", text)),
                HasSubstr(fmt::format("defs.yaml:2: the character {} ends a line for some", name)));
    EXPECT_THAT(refusal_of(fmt::format("modules:\n- source_query: |\n    a {} b\n", text)), HasSubstr("defs.yaml:3: "));
  }
  EXPECT_THAT(refusal_of("modules:\n- name: a\xC2\x9B"
                         "b\n"),
              HasSubstr("defs.yaml:2: has the control character U+009B"));
  EXPECT_EQ(document_of("modules:\n- name: \"a\\u2028b\"\n")["modules"][0]["name"],
            "a\xE2\x80\xA8"
            "b");
}

TEST(DefinitionFile, a_block_at_the_end_keeps_its_newlines) {
  const auto end_of = [](const std::string& block) {
    return document_of("modules:\n- source_query: " + block)["modules"][0]["source_query"].get<std::string>();
  };
  EXPECT_EQ(end_of("|+\n    x\n\n"), "x\n\n");
  EXPECT_EQ(end_of("|\n    x\n\n"), "x\n");
  EXPECT_EQ(end_of("|-\n    x\n"), "x");
}

TEST(DefinitionFile, several_documents_and_lists_are_merged) {
  const auto document = document_of("modules: [{name: a}]\n---\nmodules: [{name: b}]\n");
  EXPECT_EQ(document["modules"].size(), 2U);
}

TEST(DefinitionFile, carriage_returns_and_a_byte_order_mark_are_taken) {
  const auto document = document_of("\xef\xbb\xbfmodules:\r\n  - name: a\r\n    retries: 3\r\n");
  EXPECT_EQ(document["modules"][0]["retries"], 3);
}

TEST(DefinitionFile, is_refused_by_line_with_the_reason) {
  const struct {
    const char* yaml;
    const char* message;
  } cases[] = {
      {"modules:\n  - name: a\n    merge_stratgy: full\n",
       "defs.yaml:3: a module has no key 'merge_stratgy'; did you mean 'merge_strategy'?"},
      {"moduls: []\n", "defs.yaml:1: a definition file has no key 'moduls'; did you mean 'modules'?"},
      {"modules:\n- name: a\n  watermarks:\n  - {name: x, resolver: y}\n",
       "defs.yaml:4: a watermark has no key 'resolver'"},
      {"groups:\n- name: g\n  members: [{modul: x}]\n",
       "defs.yaml:3: a member has no key 'modul'; did you mean 'module'?"},
      {"modules:\n- name: a\n  retries: 1\n  retries: 2\n", "defs.yaml:4: retries is given twice, first on line 3"},
      {"modules: []\nmodules: []\n", "defs.yaml:2: modules is given twice, first on line 1"},
      {"modules:\n- name: a\n- name: a\n", "defs.yaml:3: module 'a' is defined twice, first at defs.yaml:2"},
      {"modules:\n- name: m\n  watermarks:\n  - name: w\n  - name: w\n",
       "defs.yaml:5: watermark 'w' is defined twice, first on line 4"},
      {"modules:\n- name: a\n  retries: 010\n",
       "defs.yaml:3: retries must be a whole number, not '010'; a leading zero reads as octal in YAML: write 10"},
      {"modules:\n- name: a\n  priority: -007\n", "write -7"},
      {"modules:\n- name: a\n  retries: 00\n", "write 0"},
      {"modules:\n- name: a\n  retries: 0x10\n",
       "defs.yaml:3: retries must be a whole number, not '0x10'; write it in digits"},
      {"modules:\n- name: a\n  retries: 1.5\n", "not '1.5'; write it in digits"},
      {"modules:\n- name: a\n  retries: '3'\n", "not '3'; take the quotes away"},
      {"modules:\n- name: a\n  retries: 99999999999999999999\n", "it is too large"},
      {"modules:\n- name: a\n  retries: [1]\n", "defs.yaml:3: retries must be a whole number, not a list"},
      {"modules:\n- name: a\n  enabled: yes\n", "defs.yaml:3: enabled must be true or false, not yes"},
      {"modules:\n- name: a\n  enabled: 'true'\n", "enabled must be true or false, not text ('true')"},
      {"modules:\n- name: a\n  enabled: 1\n", "enabled must be true or false, not 1"},
      {"modules:\n- name: a\n  source_query: [a]\n", "defs.yaml:3: source_query must be text, not a list"},
      {"modules:\n- name: a\n  source_query: {last}\n",
       "source_query must be text, not a map; put text with braces in quotes"},
      {"modules:\n- name: a\n  source_connection: {name: x}\n", "source_connection must be text, not a map"},
      {"modules:\n- name: a\n  merge_key: [[a]]\n", "defs.yaml:3: merge_key must be text or a list of texts"},
      {"modules:\n- name: a\n  merge_key: {a: b}\n", "defs.yaml:3: merge_key must be text or a list of texts"},
      {"modules:\n- name: a\n  watermarks: {name: x}\n", "defs.yaml:3: watermarks must be a list, not a map"},
      {"modules:\n- just text\n", "defs.yaml:2: a module must be a map of its fields"},
      {"modules:\n-\n", "a module must be a map of its fields"},
      {"modules: {name: a}\n", "defs.yaml:1: modules must be a list (each entry begins with '- '), not a map"},
      {"- name: a\n", "defs.yaml:1: must be a map with the lists drivers, connections, modules, groups, not a list"},
      {"text\n", "must be a map with the lists"},
      {"modules:\n- [a]: b\n", "defs.yaml:2: a key of a module must be a word"},
      {"modules:\n- name: a\n  source_query: \"open\n", "; a quote is not closed"},
      {"modules:\n- name: a\n  source_query: 'open\n\n", "; a quote is not closed"},
      {"modules:\n- name: a\n  source_query: \"open", "; a quote is not closed"},
      {"modules:\n- {name: a, retries: 1\n", "defs.yaml:"},
      {"modules:\n- {name: a, source_query: \"SELECT 1\", hooks: [{sql: x}", "defs.yaml:"},
      {"modules:\n- name: a\n   retries: 1\n", "defs.yaml:3: "},
      {"modules:\n\t- name: a\n", "the line is indented with a tab: use spaces"},
      {"modules:\n- name: a\n\tretries: 1\n", "the line is indented with a tab: use spaces"},
      {"modules:\n- name: *nothing\n", "defs.yaml:2: "},
      {"modules:\n- &base {name: a}\n- {<<: *base, name: b}\n", "defs.yaml:3: merge keys (<<) are not supported"},
      {"modules:\n- name: a\xff\n", "defs.yaml:2: is not valid UTF-8; save the file as UTF-8"},
      {"modules:\n- name: a\x04\n", "defs.yaml:2: has the control character 0x04; remove it"},
      {"modules:\n- name: a\n  source_query: '{% raw %}", "defs.yaml:"},
  };
  for (const auto& [yaml, message] : cases) EXPECT_THAT(refusal_of(yaml), HasSubstr(message)) << yaml;
}

TEST(DefinitionFile, a_nul_byte_is_refused) {
  EXPECT_THAT(refusal_of(std::string("modules: []\n\0# x", 16)),
              HasSubstr("defs.yaml:2: has the control character 0x00"));
}

TEST(DefinitionFile, that_begins_with_what_no_document_begins_with_is_refused) {
  EXPECT_THAT(refusal_of(","), HasSubstr("defs.yaml:1: "));
  EXPECT_THAT(refusal_of("modules: []\n---\n, a"), HasSubstr("defs.yaml:3: "));
}

TEST(DefinitionFile, escapes_that_become_no_character_are_refused) {
  for (const std::string escape : {"\\N", "\\_"}) {
    EXPECT_THAT(refusal_of("modules:\n- name: \"a" + escape + "b\"\n"), HasSubstr("defs.yaml:2: the escapes"));
  }
  EXPECT_EQ(document_of("modules:\n- name: \"\\x85\\xa0\"\n")["modules"][0]["name"], "\xc2\x85\xc2\xa0");
}

TEST(DefinitionFile, all_problems_are_told_at_once) {
  const auto told = refusal_of("modules:\n- {name: a, retries: x}\n- {name: b, enabled: no}\ngrups: []\n");
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 2) << told;
  for (const auto* part : {"defs.yaml:2: retries", "defs.yaml:3: enabled", "defs.yaml:4: "}) {
    EXPECT_THAT(told, HasSubstr(part));
  }
}

TEST(DefinitionFile, aliases_that_multiply_are_refused) {
  std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    yaml +=
        fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
  }
  EXPECT_THAT(refusal_of(yaml), HasSubstr("has more than 1000000 entries"));
}

TEST(DefinitionFile, an_alias_of_itself_and_deep_nesting_are_refused) {
  EXPECT_THAT(refusal_of("modules: &a [*a, *a]\n"), HasSubstr("defs.yaml:"));
  EXPECT_THAT(refusal_of("modules: " + std::string(40, '[') + std::string(40, ']')),
              HasSubstr("nested deeper than 32"));
  EXPECT_THAT(refusal_of("modules: " + std::string(100'000, '[')), HasSubstr("defs.yaml:"));
}

TEST(DefinitionFile, an_alias_of_a_whole_definition_is_taken) {
  const auto document =
      document_of("modules:\n- name: a\n  source_query: &sql SELECT 1\n- name: b\n  source_query: *sql\n");
  EXPECT_EQ(document["modules"][1]["source_query"], "SELECT 1");
}

TEST(DefinitionDirectory, is_merged_in_the_order_of_names) {
  const TempDir dir;
  dir.write("20.yml", "modules: [{name: c}]\n");
  dir.write("10.yaml", "modules: [{name: a}, {name: b}]\nconnections: [{name: x}]\n");
  dir.write("notes.txt", "not: [yaml");
  dir.write(".hidden.yaml", "not: [yaml");
  const auto set = read_definitions({dir.path().string()});
  ASSERT_TRUE(set.ok()) << set.error().message;
  EXPECT_EQ(set->document["modules"], Json::parse(R"([{"name": "a"}, {"name": "b"}, {"name": "c"}])"));
  EXPECT_EQ(set->locate("modules[2].name")->file, dir.file("20.yml"));
}

TEST(DefinitionDirectory, names_both_places_of_a_duplicate) {
  const TempDir dir;
  dir.write("a.yaml", "modules:\n- name: orders\n");
  dir.write("b.yaml", "\nmodules:\n- name: orders\n");
  const auto set = read_definitions({dir.path().string()});
  ASSERT_FALSE(set.ok());
  EXPECT_EQ(set.error().message, fmt::format("{}:3: module 'orders' is defined twice, first at {}:2",
                                             dir.file("b.yaml"), dir.file("a.yaml")));
}

TEST(DefinitionFiles, form_one_set) {
  const TempDir dir;
  const auto a = dir.write("a.yaml", "modules: [{name: a}]\n");
  const auto b = dir.write("b.yaml", "modules: [{name: b}]\nconnections: [{name: x}]\n");
  const auto set = read_definitions({b, a});
  ASSERT_TRUE(set.ok()) << set.error().message;
  EXPECT_EQ(set->document["modules"], Json::parse(R"([{"name": "b"}, {"name": "a"}])"));
  EXPECT_EQ(set->document["connections"].size(), 1U);
  EXPECT_EQ(set->locate("modules[1]")->file, a);
}

TEST(DefinitionFiles, that_are_one_file_are_refused_with_both_places) {
  const TempDir dir;
  const auto a = dir.write("a.yaml", "modules: [{name: a}]\n");
  std::filesystem::create_symlink(a, dir.file("link.yml"));
  const auto directory = dir.path().string();
  const auto message = [](const std::vector<std::string>& paths) {
    const auto set = read_definitions(paths);
    EXPECT_FALSE(set.ok());
    EXPECT_EQ(set.error().code, ErrorCode::kUsage);
    return set.error().message;
  };
  EXPECT_EQ(message({a, a}), a + " is given twice");
  EXPECT_EQ(message({a, dir.file("link.yml")}), a + " and " + dir.file("link.yml") + " are the same file");
  EXPECT_EQ(message({a, directory}), a + " is given twice");
  EXPECT_EQ(message({directory + "/../" + dir.path().filename().string() + "/a.yaml", a}),
            directory + "/../" + dir.path().filename().string() + "/a.yaml and " + a + " are the same file");
}

TEST(DefinitionFiles, that_define_the_same_object_are_refused_with_both_places) {
  const TempDir dir;
  const auto a = dir.write("a.yaml", "modules:\n- name: orders\n");
  const auto b = dir.write("b.yaml", "\nmodules:\n- name: orders\n");
  EXPECT_EQ(read_definitions({a, b}).error().message,
            fmt::format("{}:3: module 'orders' is defined twice, first at {}:2", b, a));
}

TEST(DefinitionDirectory, that_is_missing_or_empty_is_not_found) {
  const TempDir dir;
  EXPECT_EQ(read_definitions({dir.file("none.yaml")}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(read_definitions({dir.path().string()}).error().message, "there is no *.yaml in " + dir.path().string());
}

TEST(DefinitionFile, that_is_too_large_is_refused) {
  const TempDir dir;
  const auto file = dir.write("big.yaml", "modules: []\n");
  std::filesystem::resize_file(file, (64U << 20U) + 1);
  const auto set = read_definitions({file});
  ASSERT_FALSE(set.ok());
  EXPECT_THAT(set.error().message, HasSubstr("larger than 64 MiB"));
}

TEST(DefinitionProblems, are_told_by_file_and_line) {
  const auto set = parse_definitions("defs.yaml", kWhole);
  ASSERT_TRUE(set.ok());
  const auto problems = Json::parse(R"([
      {"path": "modules[0].dest_connection", "message": "there is no connection 'x'", "hint": "did you mean 'y'?"},
      {"path": "", "message": "the document is empty", "hint": ""}])");
  EXPECT_EQ(describe_problems(*set, problems),
            "defs.yaml:10: dest_connection: there is no connection 'x'; did you mean 'y'?\nthe document is empty");
}

TEST(DefinitionWriter, writes_what_reads_back_the_same) {
  const auto document = document_of(kWhole);
  const auto yaml = write_yaml(document);
  EXPECT_EQ(document_of(yaml), document) << yaml;
  EXPECT_THAT(yaml, HasSubstr("    source_query: |\n      SELECT id FROM orders\n      WHERE id > {last_id}\n"));
  EXPECT_THAT(yaml, HasSubstr("default_value: \"0\"\n"));
  EXPECT_THAT(yaml, HasSubstr("  - name: erp\n    driver: sqlite\n    jdbc_url: jdbc:sqlite:/data/erp.db\n"));
}

TEST(DefinitionWriter, keeps_every_text) {
  const std::string texts[] = {"",
                               " ",
                               "0",
                               "010",
                               "1e3",
                               "true",
                               "No",
                               "null",
                               "~",
                               "a: b",
                               "a #b",
                               "- a",
                               "*a",
                               "&a",
                               "!a",
                               "%a",
                               "@a",
                               "`a",
                               "'a'",
                               "\"a\"",
                               "a\\b",
                               "a\nb",
                               "a\nb\n",
                               "a\nb\n\n",
                               "\n",
                               "\n\n",
                               "\na",
                               " a\nb",
                               "a\n b",
                               "a\n\nb",
                               "a\tb\nc",
                               "\ta\nb",
                               "a\r\nb",
                               "a \nb ",
                               "{x}",
                               "[x]",
                               "# a\n# b",
                               "\xc3\xa9\n",
                               "$WH",
                               "a:",
                               ":a",
                               "a,b",
                               "---\nb",
                               "...\nb\n",
                               "a\n\n\n",
                               "a\n  \n",
                               "  \na",
                               "2026-03-01",
                               "<<",
                               "=",
                               "0x1f",
                               ".inf",
                               "y",
                               "a\x7f\x1b",
                               "a\x1b\nb",
                               "\x7f\n",
                               "a\xE2\x80\xA8"
                               "b",
                               "a\xC2\x85\nb",
                               "\xEF\xBB\xBF"
                               "a"};
  for (const auto& text : texts) {
    const Json document = {{"modules", {{{"name", "m"}, {"source_query", text}, {"merge_key", {text, "k"}}}}}};
    const auto yaml = write_yaml(document);
    const auto read = parse_definitions("x", yaml);
    ASSERT_TRUE(read.ok()) << yaml << read.error().message;
    EXPECT_EQ(read->document, document) << yaml;
  }
}

TEST(DefinitionWriter, writes_members_in_their_short_form) {
  const auto document = Json::parse(R"({"groups": [{"name": "g", "members": ["a", ["b", "c"], "d"]}]})");
  EXPECT_EQ(write_yaml(document),
            "groups:\n  - name: g\n    members:\n      - a\n      -\n        - b\n        - c\n      - d\n");
}

TEST(DefinitionWriter, writes_nothing_for_an_empty_document) {
  EXPECT_EQ(write_yaml(Json::parse(R"({"modules": [], "groups": []})")), "");
}

TEST(DefinitionFile, a_field_called_null_is_read_and_written) {
  for (const auto* key : {"null", "\"null\""}) {
    const auto text = std::string("modules:\n- name: m\n  watermarks:\n  - name: w\n    ") + key + ": error\n";
    const auto document = document_of(text);
    EXPECT_EQ(document["modules"][0]["watermarks"][0]["null"], "error") << key;
    EXPECT_THAT(write_yaml(document), HasSubstr("\"null\": error"));
  }
}

}  // namespace
}  // namespace pipekit::ctl
