#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "ctl/human.h"
#include "ctl/output.h"
#include "ctl/render.h"
#include "ctl/run_page.h"
#include "ctl/status_screen.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

const WallTime kNow = *parse_iso("2026-03-01T12:00:00Z");
const Style kTerminal = {80, false, true, kNow};
const Style kPipe = {0, false, false, kNow};

size_t widest(const std::string& text) {
  std::istringstream lines(text);
  size_t width = 0;
  for (std::string line; std::getline(lines, line);) width = std::max(width, display_width(line));
  return width;
}

std::vector<Column> columns() {
  return {text_column("NAME", "name", 0), number_column("ROWS", "rows", 1), time_column("AT", "at", 2),
          text_column("ERROR", "error", 3)};
}

const Json kRows = {
    {{"name", "orders"}, {"rows", 1234567}, {"at", "2026-03-01T11:58:00.000Z"}, {"error", nullptr}},
    {{"name", "注文"}, {"rows", 5}, {"at", "2026-02-01T00:00:00.000Z"}, {"error", "relation \"t\"\ndoes not exist"}}};

TEST(CtlTable, a_terminal_gets_separators_and_relative_times) {
  EXPECT_EQ(render_table(columns(), kRows, kTerminal),
            "NAME         ROWS  AT       ERROR\n"
            "orders  1,234,567  2m ago\n"
            "注文            5  28d ago  relation \"t\" does not exist\n");
}

TEST(CtlTable, a_pipe_gets_digits_and_iso_times) {
  EXPECT_EQ(render_table(columns(), kRows, kPipe),
            "NAME       ROWS  AT                        ERROR\n"
            "orders  1234567  2026-03-01T11:58:00.000Z\n"
            "注文          5  2026-02-01T00:00:00.000Z  relation \"t\" does not exist\n");
}

TEST(CtlTable, the_least_important_column_is_cut_first) {
  auto narrow = kTerminal;
  narrow.width = 40;
  EXPECT_EQ(render_table(columns(), kRows, narrow),
            "NAME         ROWS  AT       ERROR\n"
            "orders  1,234,567  2m ago\n"
            "注文            5  28d ago  relation \"t…\n");
}

TEST(CtlTable, what_cannot_be_cut_enough_is_left_out) {
  auto narrow = kTerminal;
  narrow.width = 30;
  EXPECT_EQ(render_table(columns(), kRows, narrow),
            "NAME         ROWS  AT\n"
            "orders  1,234,567  2m ago\n"
            "注文            5  28d ago\n");
  narrow.width = 18;
  EXPECT_EQ(render_table(columns(), kRows, narrow),
            "NAME         ROWS\n"
            "orders  1,234,567\n"
            "注文            5\n")
      << "a number is never cut: a shorter one would be a lie";
  narrow.width = 10;
  EXPECT_EQ(render_table(columns(), kRows, narrow), "NAME\norders\n注文\n");
}

TEST(CtlTable, no_rows_are_no_table) { EXPECT_EQ(render_table(columns(), Json::array(), kTerminal), ""); }

TEST(CtlTable, colours_take_no_width) {
  auto coloured = kTerminal;
  coloured.colour = true;
  const Json rows = {{{"status", "error"}, {"n", 1}}};
  EXPECT_EQ(shown(render_table({status_column("STATUS", "status"), text_column("N", "n")}, rows, coloured), true),
            "\x1b[1mSTATUS\x1b[0m  \x1b[1mN\x1b[0m\n"
            "\x1b[31merror\x1b[0m   1\n");
}

TEST(CtlTable, fields_of_an_unexpected_type_are_shown_not_feared) {
  const Json rows = {{{"name", {{"a", 1}}}, {"rows", "many"}, {"at", true}}, 7};
  EXPECT_EQ(render_table(columns(), rows, kPipe),
            "NAME     ROWS  AT   ERROR\n"
            "{\"a\":1}  many  yes\n"
            "\n");
}

TEST(CtlTable, a_run_that_goes_on_takes_until_now) {
  const Json rows = {{{"from", "2026-03-01T11:59:00Z"}, {"to", nullptr}}, {{"from", nullptr}, {"to", nullptr}}};
  EXPECT_EQ(render_table({duration_column("TOOK", "from", "to")}, rows, kTerminal), " TOOK\n1m00s\n\n");
}

TEST(CtlObject, long_texts_stand_below_their_names) {
  const Json object = {{"name", "orders"},   {"id", 1234},      {"source_query", "SELECT 1\nFROM t"},
                       {"rows", 1234},       {"enabled", true}, {"none", nullptr},
                       {"keys", {"a", "b"}}, {"empty", ""}};
  EXPECT_EQ(render_object({"id", "name"}, object, kTerminal),
            "id                      1234\n"
            "name                    orders\n"
            "enabled                 yes\n"
            "keys                    a, b\n"
            "rows                    1,234\n"
            "source_query\n"
            "    SELECT 1\n"
            "    FROM t\n");
}

TEST(CtlCsv, quotes_what_rfc_4180_requires) {
  const Json rows = {{{"id", 1}, {"name", "a,b"}, {"text", "say \"hi\""}, {"on", true}},
                     {{"id", 2}, {"name", "line\nbreak"}, {"list", {1, 2}}, {"none", nullptr}}};
  EXPECT_EQ(render_csv({"name", "id"}, rows),
            "name,id,list,none,on,text\r\n"
            "\"a,b\",1,,,true,\"say \"\"hi\"\"\"\r\n"
            "\"line\nbreak\",2,\"[1,2]\",,,\r\n");
  EXPECT_EQ(render_csv({}, Json::array()), "");
  EXPECT_EQ(render_csv({"id", "name"}, Json::array()), "id,name\r\n") << "a header, also without rows";
  EXPECT_EQ(render_csv({"id", "name"}, {{{"id", 1}}}), "id,name\r\n1,\r\n") << "the same header with them";
  EXPECT_EQ(render_csv({}, {{"run_id", 7}}), "run_id\r\n7\r\n");
}

TEST(CtlCsv, a_text_that_a_spreadsheet_would_compute_is_marked_as_text) {
  for (const std::string text : {"=1+1", "+a", "-a", "@SUM(A1)", "\tx", "-1+cmd|'/C calc'!A0", "＝1", "-", "+", "1-"}) {
    const auto record = csv_record({text});
    const bool marked = record.starts_with("'") || record.starts_with("\"'");
    EXPECT_EQ(marked, text != "1-") << record;
  }
  EXPECT_EQ(csv_record({"-5", "+5", "-1.5e-3", "2026-03-01"}), "-5,+5,-1.5e-3,2026-03-01\r\n");
  EXPECT_EQ(render_csv({"n"}, {{{"n", -7}}}), "n\r\n-7\r\n");
}

TEST(CtlJson, invalid_utf8_is_replaced_not_thrown) {
  EXPECT_EQ(render_json_line({{"line", "a\xFF"}}), "{\"line\":\"a\xEF\xBF\xBD\"}\n");
  EXPECT_EQ(render_json(Json::array()), "[]\n");
}

// Read back by a YAML reader, which guesses types, so a string that looks like something else must be quoted.
void expect_same(const Json& json, const YAML::Node& yaml) {
  if (json.is_object()) {
    ASSERT_TRUE(yaml.IsMap()) << json;
    EXPECT_EQ(yaml.size(), json.size());
    for (const auto& [key, value] : json.items()) expect_same(value, yaml[key]);
  } else if (json.is_array()) {
    ASSERT_TRUE(yaml.IsSequence()) << json;
    ASSERT_EQ(yaml.size(), json.size());
    for (size_t i = 0; i < json.size(); ++i) expect_same(json[i], yaml[i]);
  } else if (json.is_string()) {
    EXPECT_EQ(yaml.Scalar(), json.get<std::string>());
    if (yaml.Tag() == "?") {
      EXPECT_THROW(static_cast<void>(yaml.as<double>()), YAML::Exception) << json;
      EXPECT_THROW(static_cast<void>(yaml.as<bool>()), YAML::Exception) << json;
      EXPECT_FALSE(yaml.IsNull()) << json;
    }
  } else if (json.is_null()) {
    EXPECT_TRUE(yaml.IsNull());
  } else {
    EXPECT_EQ(yaml.Scalar(), json.dump());
  }
}

TEST(CtlYaml, says_the_same_as_the_json) {
  const Json value = {
      {"empty_map", Json::object()},
      {"empty_list", Json::array()},
      {"nested",
       {{{"name", "a"}, {"list", {1, "two", nullptr, true, 1.5}}}, {{"name", "b"}}, Json::array({Json::array({1})})}},
      {"breaks",
       {"a\xE2\x80\xA8"
        "b",
        "a\xC2\x85"
        "b",
        "a\xE2\x80\xA9"
        "b\nc",
        "\xEF\xBB\xBF", "a\xE2\x80\xAE\nb", "a\tb\nc"}},
      {"texts", {"",      "yes",       "No",    "null",       "~",    "12", "0x1f", "1e5",   "-",      "- a",   "a: b",
                 "a #b",  "#c",        "*x",    "&y",         "!z",   "%d", "@e",   " lead", "trail ", "ends:", "it's",
                 "\"q\"", "tab\there", "12:30", "2026-03-01", ".inf", "=",  "<<",   "注文",  "{a}",    "[b]"}},
      {"sql", "SELECT 1\n  FROM t\n\nWHERE x\n"},
      {"no_end", "a\nb"},
      {"many_ends", "a\nb\n\n"},
      {"leading", " a\nb\n"},
      {"carriage", "a\r\nb\r\n"},
      {"odd key: x", 1},
      {"true", 2}};
  expect_same(value, YAML::Load(render_yaml(value)));
  expect_same(value["nested"], YAML::Load(render_yaml(value["nested"])));
}

TEST(CtlYaml, sql_stands_as_a_block) {
  EXPECT_EQ(render_yaml({{"name", "orders"}, {"id", 3}, {"sql", "SELECT 1\nFROM t\n"}}),
            "id: 3\nname: orders\nsql: |\n  SELECT 1\n  FROM t\n");
}

const Json kStatus = {{"broker",
                       {{"version", "0.1.0"},
                        {"uptime_s", 3720},
                        {"queue_length", 1},
                        {"live_attempts", 1},
                        {"open_tails", 2},
                        {"commit_us", {{"p50", 300}, {"p99", 2400}, {"max", 9000}}}}},
                      {"workers",
                       {{{"name", "plant2"},
                         {"state", "connected"},
                         {"slots", 4},
                         {"busy", 1},
                         {"tags", {"site:plant2"}},
                         {"host", "db7.plant2.example"},
                         {"version", "0.1.0"},
                         {"seen_at", "2026-03-01T11:59:58Z"},
                         {"draining", false}}}},
                      {"modules",
                       {{{"name", "orders"},
                         {"source_connection", "erp"},
                         {"dest_connection", "warehouse"},
                         {"merge_strategy", "incremental"},
                         {"enabled", true},
                         {"running", false},
                         {"last_status", "success"},
                         {"last_finished_at", "2026-03-01T11:58:00Z"},
                         {"last_row_count", 1234567},
                         {"last_duration_ms", 83000},
                         {"last_error_code", nullptr}},
                        {{"name", "customers"},
                         {"source_connection", "erp"},
                         {"dest_connection", "warehouse"},
                         {"merge_strategy", "full"},
                         {"enabled", true},
                         {"running", true},
                         {"last_status", "running"}},
                        {{"name", "items"},
                         {"source_connection", "as400"},
                         {"dest_connection", "warehouse"},
                         {"merge_strategy", "full"},
                         {"enabled", true},
                         {"running", false},
                         {"last_status", "error"},
                         {"last_finished_at", "2026-03-01T02:00:00Z"},
                         {"last_row_count", nullptr},
                         {"last_duration_ms", 900},
                         {"last_error_code", "execution_failed"}},
                        {{"name", "old"},
                         {"source_connection", "as400"},
                         {"dest_connection", "warehouse"},
                         {"merge_strategy", "append"},
                         {"enabled", false},
                         {"running", false},
                         {"last_status", nullptr}}}},
                      {"groups",
                       {{{"name", "nightly"},
                         {"members", {{{"module", "orders"}}, {{"module", "items"}}}},
                         {"last_status", "error"},
                         {"last_started_at", "2026-03-01T02:00:00Z"},
                         {"schedules", {{{"cron_expr", "0 20 2 * * *"}, {"every_s", 0}}, {{"every_s", 3600}}}}}}},
                      {"live",
                       {{{"run_id", 12},
                         {"module_name", "customers"},
                         {"status", "running"},
                         {"worker", "plant2"},
                         {"step", "transfer"},
                         {"rows", 51200},
                         {"queued_at", "2026-03-01T11:59:30Z"}}}}};

TEST(CtlStatus, the_screen_fits_80_columns) {
  const auto screen = status_screen(kStatus, kTerminal);
  EXPECT_EQ(screen,
            "✔ broker 0.1.0  up 1h02m  queue 1  live 1  tails 2  commit p99 2.4 ms\n"
            "\n"
            "Workers\n"
            "WORKER  STATE      BUSY  HOST                TAGS         VERSION  SEEN\n"
            "plant2  connected   1/4  db7.plant2.example  site:plant2  0.1.0    2s ago\n"
            "\n"
            "Now\n"
            "RUN  MODULE     STATUS   STEP        ROWS  TAKES  WORKER\n"
            "12   customers  running  transfer  51,200  30.0s  plant2\n"
            "\n"
            "from as400\n"
            "   MODULE          STRATEGY     LAST RUN       ROWS   TOOK  ERROR\n"
            "✗  items           full         10h ago              900ms  execution_failed\n"
            "○  old (disabled)  append\n"
            "\n"
            "from erp\n"
            "   MODULE          STRATEGY     LAST RUN       ROWS   TOOK  ERROR\n"
            "✔  orders          incremental  2m ago    1,234,567  1m23s\n"
            "▶  customers       full\n"
            "\n"
            "Groups\n"
            "GROUP    MEMBERS        SCHEDULES                  LAST       NEXT\n"
            "nightly  orders, items  0 20 2 * * *; every 1h00m  ✗ 10h ago\n");
  EXPECT_LE(widest(screen), 80U);
}

TEST(CtlTable, too_wide_leaves_out_what_is_spare_before_it_cuts) {
  const std::vector<Column> columns = {text_column("NAME", "name", 0), text_column("WORD", "word", 1, Fit::whole),
                                       text_column("SPARE", "spare", 2, Fit::spare)};
  const Json rows = {{{"name", "a_name_of_20_letters"}, {"word", "a_whole_word"}, {"spare", "what is spare"}}};
  auto style = kTerminal;
  EXPECT_NE(render_table(columns, rows, style).find("what is spare"), std::string::npos);
  style.width = 40;
  EXPECT_EQ(render_table(columns, rows, style), "NAME                  WORD\na_name_of_20_letters  a_whole_word\n");
  style.width = 30;
  EXPECT_EQ(render_table(columns, rows, style), "NAME              WORD\na_name_of_20_le…  a_whole_word\n");
}

TEST(CtlStatus, long_names_and_errors_do_not_break_it) {
  auto status = kStatus;
  status["modules"][2]["name"] = std::string(60, 'n');
  status["workers"][0]["tags"] = std::vector<std::string>(20, "site:plant2");
  EXPECT_LE(widest(status_screen(status, kTerminal)), 80U);
}

TEST(CtlStatus, tells_of_peers_that_misbehave_and_of_none_where_all_is_well) {
  const auto screen = [](int64_t count) {
    return status_screen({{"broker",
                           {{"version", "0.1.0"},
                            {"malformed_frames", count},
                            {"refused", 0},
                            {"throttled", 70 * count},
                            {"cut_off", 2 * count},
                            {"cut_off_now", count}}}},
                         kTerminal);
  };
  EXPECT_NE(screen(1).find("  peers:  malformed 1  throttled 70  cut off 2 (1 just now)\n"), std::string::npos);
  EXPECT_EQ(screen(0).find("peers"), std::string::npos);
}

TEST(CtlStatus, an_empty_system_says_what_to_do_next) {
  const auto screen = status_screen({{"broker", {{"version", "0.1.0"}}}}, kTerminal);
  EXPECT_NE(screen.find("pipekit-worker --name"), std::string::npos);
  EXPECT_NE(screen.find("pipekit-ctl apply"), std::string::npos);
}

TEST(CtlRunPage, shows_what_an_operator_asks_first) {
  const Json run = {{"id", 12},
                    {"module_name", "orders"},
                    {"status", "error"},
                    {"queued_at", "2026-03-01T11:58:00.000Z"},
                    {"started_at", "2026-03-01T11:58:01.000Z"},
                    {"finished_at", "2026-03-01T11:58:03.500Z"},
                    {"row_count", nullptr},
                    {"worker", "plant2"},
                    {"triggered_by", "manual"},
                    {"error", "jrunner ended with status 3\nno such table: orders"},
                    {"watermark_values_json", R"({"last_id": "42"})"},
                    {"resolved_source_sql", "SELECT *\nFROM orders"},
                    {"attempts",
                     {{{"number", 1},
                       {"worker", "plant2"},
                       {"state", "ended"},
                       {"status", "error"},
                       {"started_at", "2026-03-01T11:58:01Z"},
                       {"ended_at", "2026-03-01T11:58:03Z"},
                       {"outcome", "none"}}}}};
  EXPECT_EQ(run_page(run, kTerminal),
            "✗ run 12  orders  error\n"
            "  queued     2026-03-01 11:58:00 UTC  (2m ago)\n"
            "  started    2026-03-01 11:58:01 UTC  (1m ago)\n"
            "  finished   2026-03-01 11:58:03 UTC  (1m ago)\n"
            "  took       2.5s\n"
            "  worker     plant2\n"
            "  by         manual\n"
            "\nerror\n"
            "  jrunner ended with status 3\n"
            "  no such table: orders\n"
            "\nwatermarks\n"
            "  last_id = 42\n"
            "\nattempts\n"
            "ATTEMPT  WORKER  STATE  STATUS  TOOK  MERGE  ERROR\n"
            "1        plant2  ended  error   2.0s  none\n"
            "\nsource SQL\n"
            "  SELECT *\n"
            "  FROM orders\n");
}

TEST(CtlRunPage, a_success_with_a_failed_hook_says_so_wherever_its_status_stands) {
  const Json run = {{"id", 12}, {"module_name", "orders"}, {"status", "success"}, {"hooks_failed", 1}};
  EXPECT_EQ(run_page(run, kPipe), "✔ run 12  orders  success, 1 hook failed\n");
  EXPECT_EQ(render_table({status_column("STATUS", "status")}, Json::array({run}), kPipe),
            "STATUS\nsuccess, 1 hook failed\n");
  auto status = kStatus;
  status["modules"][0]["last_hooks_failed"] = 2;
  EXPECT_NE(status_screen(status, kTerminal).find("1m23s  2 hooks failed"), std::string::npos);
}

TEST(CtlTable, a_schedule_that_does_not_fire_says_why_where_its_next_time_would_be) {
  const Json rows = {{{"next_fire_at", nullptr}, {"does_not_fire", "'US/Eastern' is not a known time zone"}},
                     {{"next_fire_at", "2026-03-02T00:00:00.000Z"}, {"does_not_fire", nullptr}}};
  EXPECT_EQ(render_table({next_column()}, rows, kPipe),
            "NEXT\ndoes not fire: 'US/Eastern' is not a known time zone\n2026-03-02T00:00:00.000Z\n");
}

// What a text of random characters of the awkward kinds becomes is read back as the same text, alone, in a list, as a
// key and as several lines.
TEST(CtlYaml, every_text_comes_back_as_it_was) {
  const std::vector<std::string> pieces = {"a",
                                           "B",
                                           "0",
                                           "1",
                                           "-",
                                           ":",
                                           " ",
                                           "#",
                                           "\n",
                                           "\t",
                                           "\"",
                                           "'",
                                           "\\",
                                           "%",
                                           "@",
                                           "&",
                                           "*",
                                           "!",
                                           "|",
                                           ">",
                                           "{",
                                           "}",
                                           "[",
                                           "]",
                                           ",",
                                           "?",
                                           "=",
                                           "~",
                                           "<",
                                           ".",
                                           "/",
                                           "$",
                                           "_",
                                           "e",
                                           "x",
                                           "\r",
                                           "null",
                                           "yes",
                                           "---",
                                           "...",
                                           "\x1b",
                                           "\x7f",
                                           "\xC2\x85",
                                           "\xC2\xA0",
                                           "\xE2\x80\xA8",
                                           "\xE2\x80\xA9",
                                           "\xEF\xBB\xBF",
                                           "\xE2\x80\xAE",
                                           "é",
                                           "注",
                                           "✅",
                                           "\xF3\xA0\x81\x81",
                                           "\xEF\xBF\xBE"};
  std::mt19937 random(20260301);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto length = random() % 8; length > 0; --length) text += pieces[random() % pieces.size()];
    const Json value = {{"list", {text, "end"}}, {"map", {{"k" + text, 1}, {"text", text}}}};
    const auto yaml = render_yaml(value);
    try {
      expect_same(value, YAML::Load(yaml));
    } catch (const YAML::Exception& error) {
      ADD_FAILURE() << error.what() << "\n" << yaml;
    }
    ASSERT_FALSE(HasFailure()) << yaml << Json(text);
  }
}

}  // namespace
}  // namespace pipekit::ctl
