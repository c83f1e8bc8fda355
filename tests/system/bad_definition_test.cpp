// Wrong definitions, names and files: each is rejected with a message that says what, where and what to do, and the
// store is unchanged.
#include <fmt/format.h>

#include <fstream>

#include "tests/system/site.h"

namespace pipekit::test {
namespace {

class BadDefinition : public ::testing::TestWithParam<BadInput> {
 protected:
  static void SetUpTestSuite() {
    site_ = std::make_unique<Site>();
    site_->start_worker();
  }
  static void TearDownTestSuite() { site_.reset(); }
  static std::unique_ptr<Site> site_;
};
std::unique_ptr<Site> BadDefinition::site_;

TEST_P(BadDefinition, is_refused) { expect_refused(*site_, GetParam()); }

std::string name_of(const ::testing::TestParamInfo<BadInput>& info) { return info.param.name; }

const Words kApply = {"apply", "-f", "@bad.yaml"};

// A module after the two connections; its first line is line 5.
std::string module(const std::string& more) {
  return "modules:\n  - name: bad\n    source_connection: src\n    dest_connection: dst\n    dest_table: orders\n"
         "    merge_strategy: full\n" +
         more;
}
std::string module_with_query(const std::string& query, const std::string& more = {}) {
  return module("    source_query: " + query + "\n" + more);
}
std::string group(const std::string& schedule) {
  return "groups:\n  - name: g\n    members: [good]\n    schedules:\n      - {" + schedule + "}\n";
}

INSTANTIATE_TEST_SUITE_P(
    UnknownName, BadDefinition,
    ::testing::Values(
        BadInput{"module", {"run", "goood"}, "", 3, {"there is no module 'goood'", "did you mean 'good'?"}},
        BadInput{"module_by_id", {"run", "4711"}, "", 3, {"there is no module '4711'"}},
        BadInput{"module_to_update", {"module", "update", "goood", "--retries", "1"}, "", 3, {"'goood'", "'good'"}},
        BadInput{"module_to_remove", {"module", "remove", "goood", "--yes"}, "", 3, {"'goood'", "'good'"}},
        BadInput{"module_of_a_member", {"group", "add-member", "nightly", "goood"}, "", 3, {"'goood'", "'good'"}},
        BadInput{"connection", {"connection", "test", "scr"}, "", 3, {"there is no connection 'scr'", "'src'"}},
        BadInput{"group", {"run-group", "nightli"}, "", 3, {"there is no group 'nightli'", "'nightly'"}},
        BadInput{"run", {"runs", "show", "99999"}, "", 3, {"there is no run 99999", "runs list"}},
        BadInput{"run_to_cancel", {"cancel", "99999"}, "", 3, {"there is no run 99999", "runs list"}},
        BadInput{"schedule", {"schedule", "disable", "99999"}, "", 3, {"there is no schedule 99999", "schedule list"}},
        BadInput{
            "watermark", {"run", "good", "--set", "lo=1"}, "", 3, {"good has no such watermark", "watermark list"}},
        BadInput{"setting", {"settings", "set", "log_head_byte", "1"}, "", 3, {"log_head_bytes"}},
        BadInput{"verb", {"rnu", "good"}, "", 2, {"rnu", "run"}},
        BadInput{"flag", {"run", "good", "--wach"}, "", 2, {"--wach", "--watch"}},
        BadInput{"in_a_file",
                 kApply,
                 "modules:\n  - {name: bad, source_connection: scr, dest_connection: dst, dest_table: t, "
                 "merge_strategy: full, source_query: SELECT 1}\n",
                 3,
                 {"bad.yaml:5: source_connection: there is no connection 'scr'", "did you mean 'src'?"}},
        BadInput{"driver_in_a_file",
                 kApply,
                 "  - {name: c, driver: sqlitee, jdbc_url: \"jdbc:sqlite:x\"}\n",
                 3,
                 {"bad.yaml:4: driver: there is no driver 'sqlitee'", "did you mean 'sqlite'?"}},
        BadInput{"member_in_a_file",
                 kApply,
                 "groups:\n  - name: g\n    members:\n      - good\n      - goood\n",
                 3,
                 {"bad.yaml:8: ", "there is no module 'goood'", "did you mean 'good'?"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    DuplicateName, BadDefinition,
    ::testing::Values(
        BadInput{"in_a_file",
                 kApply,
                 module_with_query("SELECT 1") + "  - name: bad\n",
                 3,
                 {"bad.yaml:11: module 'bad' is defined twice, first at ", "bad.yaml:5"}},
        BadInput{"of_a_watermark",
                 kApply,
                 module_with_query("SELECT {w}",
                                   "    watermarks:\n      - {name: w, connection: src, resolver_sql: SELECT 1}\n"
                                   "      - {name: w, connection: src, resolver_sql: SELECT 2}\n"),
                 3,
                 {"bad.yaml:13: watermark 'w' is defined twice, first on line 12"}},
        BadInput{"of_a_member", kApply, "groups:\n  - {name: g, members: [good, good]}\n", 3, {"bad.yaml:5: ", "good"}},
        BadInput{"added",
                 {"module", "add", "good", "--source-connection", "src", "--dest-connection", "dst", "--dest-table",
                  "orders", "--merge-strategy", "full", "--source-query", "SELECT 1"},
                 "",
                 3,
                 {"there is already a module 'good'"}},
        BadInput{"by_a_rename",
                 {"module", "update", "good", "--rename", "other"},
                 "",
                 3,
                 {"there is already a module 'other'"}},
        BadInput{"of_a_connection",
                 {"connection", "add", "src", "--driver", "sqlite", "--jdbc-url", "jdbc:sqlite:x"},
                 "",
                 3,
                 {"there is already a connection 'src'"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Schedule, BadDefinition,
    ::testing::Values(
        BadInput{"minute_61", kApply, group("cron_expr: \"61 2 * * *\""), 3, {"bad.yaml:8: ", "61", "minute"}},
        BadInput{"four_fields", kApply, group("cron_expr: \"0 2 * *\""), 3, {"bad.yaml:8: cron_expr: ", "fields"}},
        BadInput{"reversed_range", kApply, group("cron_expr: \"0 9-5 * * *\""), 3, {"bad.yaml:8: cron_expr: ", "9-5"}},
        BadInput{"step_0", kApply, group("cron_expr: \"*/0 * * * *\""), 3, {"bad.yaml:8: cron_expr: ", "step"}},
        BadInput{"never", kApply, group("cron_expr: \"0 0 30 2 *\""), 3, {"bad.yaml:8: cron_expr: ", "never"}},
        BadInput{"word", kApply, group("cron_expr: \"@hourli\""), 3, {"bad.yaml:8: cron_expr: ", "@hourli"}},
        BadInput{"zone",
                 kApply,
                 group("cron_expr: \"0 2 * * *\", timezone: Europe/Berlni"),
                 3,
                 {"bad.yaml:8: timezone: ", "Europe/Berlni", "Europe/Berlin"}},
        BadInput{"interval_of_nothing", kApply, group("kind: interval, every_s: 0"), 3, {"bad.yaml:8: ", "every_s"}},
        BadInput{"added", {"schedule", "add", "nightly", "--cron-expr", "61 2 * * *"}, "", 3, {"61", "minute"}},
        BadInput{"asked", {"schedule", "next", "--cron", "61 2 * * *"}, "", 3, {"61", "minute"}},
        BadInput{"zone_asked",
                 {"schedule", "next", "--cron", "0 2 * * *", "--timezone", "Mars/Base"},
                 "",
                 3,
                 {"Mars/Base"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Placeholder, BadDefinition,
    ::testing::Values(
        BadInput{"without_a_watermark",
                 kApply,
                 module_with_query("\"SELECT {low}\""),
                 3,
                 {"bad.yaml:10: source_query: ", "{low}", "watermark"}},
        BadInput{"of_a_watermark_mistyped",
                 kApply,
                 module_with_query("\"SELECT {lwo}\"",
                                   "    watermarks: [{name: low, connection: src, resolver_sql: SELECT 1}]\n"),
                 3,
                 {"bad.yaml:10: source_query: ", "{lwo}", "{low}?"}},
        BadInput{
            "missing_for_a_watermark",
            kApply,
            module_with_query("SELECT 1", "    watermarks: [{name: low, connection: src, resolver_sql: SELECT 1}]\n"),
            3,
            {"bad.yaml:11: ", "low", "{low}"}},
        BadInput{
            "edited_in", {"module", "update", "good", "--source-query", "SELECT {low}"}, "", 3, {"{low}", "watermark"}},
        BadInput{"edited_out", {"module", "update", "other", "--source-query", "SELECT 1"}, "", 3, {"low", "{low}"}},
        BadInput{"whose_watermark_is_removed",
                 {"watermark", "remove", "low", "--module", "other", "--yes"},
                 "",
                 3,
                 {"{low}"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Number, BadDefinition,
    ::testing::Values(
        BadInput{"of_times", {"schedule", "next", "nightly", "--count", "-1"}, "", 2, {"--count", "from 1", "-1"}},
        BadInput{"of_rows", {"runs", "list", "--limit", "0"}, "", 2, {"--limit", "from 1"}},
        BadInput{"of_an_event", {"events", "tail", "--since", "-1", "--no-follow"}, "", 2, {"--since", "from 0"}},
        BadInput{"too_large", {"runs", "list", "--limit", "99999999999999999999"}, "", 2, {"--limit", "whole number"}},
        BadInput{"of_seconds", {"--timeout", "0", "status"}, "", 2, {"--timeout", "from 1"}},
        BadInput{"of_a_setting", {"settings", "set", "log_head_bytes", "-5"}, "", 3, {"log_head_bytes", "from 0 to"}}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Field, BadDefinition,
    ::testing::Values(
        BadInput{"missing", kApply, module(""), 3, {"bad.yaml:5: ", "source_query"}},
        BadInput{"below_its_bounds",
                 kApply,
                 module_with_query("SELECT 1", "    retries: -1\n"),
                 3,
                 {"bad.yaml:11: retries: ", "must not be negative"}},
        BadInput{"no_such_strategy",
                 kApply,
                 "modules:\n  - {name: bad, merge_strategy: ful}\n",
                 3,
                 {"bad.yaml:5: merge_strategy", "'full'"}},
        BadInput{
            "merge_key_missing", {"module", "update", "good", "--merge-strategy", "incremental"}, "", 3, {"merge_key"}},
        BadInput{"password_in_the_clear",
                 {"connection", "update", "src", "--password", "hunter22"},
                 "",
                 3,
                 {"password", "$NAME"},
                 {"hunter22"}},
        BadInput{"password_in_the_clear_in_a_file",
                 kApply,
                 "  - {name: c, driver: sqlite, jdbc_url: \"jdbc:sqlite:x\", password: hunter22}\n",
                 3,
                 {"bad.yaml:4: password: ", "$NAME"},
                 {"hunter22"}}),
    name_of);

std::string alias_bomb() {
  std::string yaml = "modules: []\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    yaml += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
  }
  return yaml;
}

BadInput file_of(const std::string& name, const std::string& text, const Words& says) {
  return {name, {"apply", "-f", "@raw.yaml"}, "", 3, says, {}, [text](Site& site) { site.write("raw.yaml", text); }};
}

// Each module is valid, but together they are larger than a request may be.
void write_20_mb(Site& site) {
  std::string text = "modules:\n";
  for (int i = 0; i < 20; ++i)
    text += fmt::format("  - {{name: m{}, source_query: \"SELECT {}\"}}\n", i, std::string(1U << 20U, '1'));
  site.write("raw.yaml", text);
}

// Blank lines, so that only its size is wrong.
void write_100_mb(Site& site) {
  std::ofstream out(site.file("raw.yaml"), std::ios::binary);
  const std::string block(1U << 20U, '\n');
  for (int i = 0; i < 100; ++i) out << block;
}

INSTANTIATE_TEST_SUITE_P(
    File, BadDefinition,
    ::testing::Values(
        file_of("with_an_unknown_key", "modules:\n  - name: a\n    merge_stratgy: full\n",
                {"raw.yaml:3: a module has no key 'merge_stratgy'; did you mean 'merge_strategy'?"}),
        file_of("with_a_duplicate_key", "modules:\n  - name: a\n    retries: 1\n    retries: 2\n",
                {"raw.yaml:4: retries is given twice, first on line 3"}),
        file_of("with_an_octal_number", "modules:\n  - name: a\n    retries: 010\n",
                {"raw.yaml:3: retries must be a whole number, not '010'", "write 10"}),
        file_of("that_is_an_alias_bomb", alias_bomb(), {"raw.yaml:1: has more than 1000000 entries"}),
        file_of("with_invalid_utf8", "modules:\n  - name: a\xff\n", {"raw.yaml:2: is not valid UTF-8"}),
        file_of("with_a_nul_byte", std::string("modules: []\n\0", 13), {"raw.yaml:2: has the control character 0x00"}),
        file_of("with_a_tab", "modules:\n\t- name: a\n", {"raw.yaml:2: ", "use spaces"}),
        file_of("that_was_cut_off", "modules:\n  - name: a\n    source_query: \"SELECT", {"a quote is not closed"}),
        BadInput{"of_100_mb",
                 {"apply", "-f", "@raw.yaml"},
                 "",
                 3,
                 {"raw.yaml: ", "larger than 64 MiB", "in parts"},
                 {},
                 write_100_mb},
        BadInput{"of_20_mb",
                 {"apply", "-f", "@raw.yaml"},
                 "",
                 3,
                 {"a request of 21 MiB", "takes 16", "in parts"},
                 {},
                 write_20_mb},
        BadInput{"that_is_not_there", {"apply", "-f", "@nowhere.yaml"}, "", 3, {"nowhere.yaml"}},
        BadInput{"that_is_empty_of_yaml",
                 {"apply", "-f", "@workers"},
                 "",
                 3,
                 {"there is no *.yaml in", "workers"},
                 {},
                 [](Site& site) { std::filesystem::create_directories(site.file("workers")); }},
        BadInput{"for_ctl_with_an_unknown_key",
                 {"--config", "@ctl.yaml", "status"},
                 "",
                 2,
                 {"ctl.yaml:2: unknown key \"outptu\"", "did you mean 'output'?"},
                 {},
                 [](Site& site) { site.write("ctl.yaml", "timeout: 5\noutptu: json\n"); }}),
    name_of);

}  // namespace
}  // namespace pipekit::test
