#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "ctl/command_line.h"
#include "ctl/config.h"
#include "ctl/definition_flags.h"
#include "ctl/help.h"
#include "ctl/width.h"
#include "tests/support/temp_dir.h"

namespace pipekit::ctl {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<Verb>& verbs() {
  static const auto kVerbs = all_verbs();
  return kVerbs;
}

Invocation parsed(const std::vector<std::string>& args) {
  auto invocation = parse_command_line(verbs(), args);
  EXPECT_TRUE(invocation) << (invocation ? "" : invocation.error().message);
  return invocation ? *invocation : Invocation{};
}

Error refused(const std::vector<std::string>& args) {
  const auto invocation = parse_command_line(verbs(), args);
  EXPECT_FALSE(invocation);
  return invocation ? Error{} : invocation.error();
}

TEST(CtlCommandLine, global_flags_stand_before_or_after_the_verb) {
  for (const auto& args : std::vector<std::vector<std::string>>{{"-o", "json", "--timeout", "3", "module", "list"},
                                                                {"module", "list", "--timeout=3", "-o", "json"},
                                                                {"module", "-o", "json", "list", "--timeout", "3"}}) {
    const auto invocation = parsed(args);
    EXPECT_EQ(invocation.verb->path, "module list");
    EXPECT_EQ(invocation.global.text("output"), "json");
    EXPECT_EQ(invocation.global.integer("timeout"), 3);
  }
}

TEST(CtlCommandLine, values_are_taken_as_they_are) {
  const auto invocation = parsed({"module", "add", "orders", "--source-query", "-- SELECT [a,b]\nFROM \"t\"",
                                  "--merge-key", "[id]", "--merge-key", "a,b", "--priority", "-5"});
  EXPECT_EQ(invocation.arguments.text("NAME"), "orders");
  EXPECT_EQ(invocation.arguments.text("source-query"), "-- SELECT [a,b]\nFROM \"t\"");
  EXPECT_THAT(invocation.arguments.list("merge-key"), ElementsAre("[id]", "a,b"));
  EXPECT_EQ(invocation.arguments.integer("priority"), -5);
}

TEST(CtlCommandLine, a_repeated_flag_takes_one_value_each_time) {
  const auto invocation = parsed({"run", "--set", "a=1", "orders", "--set", "b=2"});
  EXPECT_EQ(invocation.arguments.text("MODULE"), "orders");
  EXPECT_THAT(invocation.arguments.list("set"), ElementsAre("a=1", "b=2"));
}

TEST(CtlCommandLine, a_flag_of_one_value_is_given_once_wherever_it_stands) {
  for (const auto& args :
       std::vector<std::vector<std::string>>{{"runs", "list", "--module", "a", "--module", "b"},
                                             {"-o", "json", "status", "--output", "json"},
                                             {"--data-dir=/a", "status", "--data-dir=/b"},
                                             {"module", "add", "-f", "a.yaml", "--file", "b.yaml"}}) {
    const auto error = refused(args);
    EXPECT_EQ(error.code, ErrorCode::kUsage);
    EXPECT_THAT(error.message, HasSubstr("is given 2 times"));
  }
  EXPECT_EQ(parsed({"-q", "status", "-q"}).global.text("quiet"), "true") << "a switch says the same twice";
}

TEST(CtlCommandLine, apply_takes_several_files) {
  EXPECT_THAT(parsed({"apply", "-f", "a.yaml", "-f", "b"}).arguments.list("file"), ElementsAre("a.yaml", "b"));
}

TEST(CtlCommandLine, two_dashes_end_the_flags) {
  EXPECT_EQ(parsed({"run", "--watch", "--", "-orders"}).arguments.text("MODULE"), "-orders");
  EXPECT_EQ(parsed({"module", "show", "--", "--help"}).arguments.text("NAME"), "--help");
  EXPECT_THAT(refused({"run", "--", "a", "-b"}).message, HasSubstr("-b"));
  EXPECT_EQ(parsed({"run", "--", "--"}).arguments.text("MODULE"), "--") << "the second one is a name";
}

TEST(CtlCommandLine, help_and_version_are_verbs_too) {
  EXPECT_EQ(parsed({"help", "module", "add"}).verb->path, "help");
  EXPECT_EQ(parsed({"version"}).verb->path, "version");
  EXPECT_EQ(parsed({"run", "-h"}).text, parsed({"run", "--help"}).text);
  EXPECT_EQ(parsed({"module", "-h"}).text, parsed({"module", "--help"}).text);
}

TEST(CtlCommandLine, a_module_may_be_called_like_a_verb) {
  EXPECT_EQ(parsed({"run", "status"}).arguments.text("MODULE"), "status");
  EXPECT_EQ(parsed({"module", "show", "list"}).arguments.text("NAME"), "list");
}

TEST(CtlCommandLine, an_unknown_verb_names_the_nearest) {
  EXPECT_THAT(refused({"statsu"}).hint, HasSubstr("\"status\""));
  EXPECT_THAT(refused({"module", "shwo", "x"}).hint, HasSubstr("\"module show\""));
  EXPECT_THAT(refused({"-o", "json", "rnu", "orders"}).hint, HasSubstr("\"run\""));
}

TEST(CtlCommandLine, an_unknown_flag_names_the_nearest) {
  EXPECT_THAT(refused({"run", "orders", "--wacth"}).hint, HasSubstr("--watch"));
  EXPECT_THAT(refused({"--brokr", "x", "status"}).message, HasSubstr("--brokr"));
}

TEST(CtlCommandLine, what_is_missing_or_too_many_is_said) {
  EXPECT_THAT(refused({"run"}).message, HasSubstr("MODULE is missing"));
  EXPECT_THAT(refused({"run", "a", "b"}).message, HasSubstr("\"b\""));
  EXPECT_THAT(refused({"module"}).hint, HasSubstr("list, show"));
  EXPECT_THAT(refused({}).message, HasSubstr("no verb"));
  EXPECT_EQ(refused({"run", "m", "--set"}).code, ErrorCode::kUsage);
}

TEST(CtlCommandLine, types_are_checked_and_the_flag_is_named) {
  EXPECT_THAT(refused({"runs", "list", "--limit", "ten"}).message, HasSubstr("--limit"));
  EXPECT_THAT(refused({"runs", "list", "--limit", "99999999999999999999"}).message, HasSubstr("--limit"));
  EXPECT_THAT(refused({"status", "--timeout", "0"}).message, HasSubstr("--timeout"));
  EXPECT_THAT(refused({"status", "-o", "jsn"}).hint, HasSubstr("json"));
  EXPECT_THAT(refused({"module", "add", "m", "--merge-strategy", "incremetal"}).hint, HasSubstr("incremental"));
  EXPECT_EQ(refused({"run", "m", "--watch=maybe"}).code, ErrorCode::kUsage);
}

TEST(CtlCommandLine, help_is_there_for_every_verb_with_an_example_in_80_columns) {
  for (const auto& verb : verbs()) {
    EXPECT_FALSE(verb.examples.empty()) << verb.path;
    std::istringstream path(verb.path);
    std::vector<std::string> args(std::istream_iterator<std::string>(path), {});
    args.emplace_back("--help");
    const auto text = parsed(args).text;
    EXPECT_THAT(text, HasSubstr("Usage: pipekit-ctl " + verb.path));
    auto joined = text;  // as a shell reads it: a backslash continues the line
    for (auto at = joined.find(" \\\n"); at != std::string::npos; at = joined.find(" \\\n")) {
      joined.erase(at, joined.find_first_not_of(' ', at + 3) - at - 1);
    }
    for (const auto& example : verb.examples) EXPECT_THAT(joined, HasSubstr(example));
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 80U) << line;
  }
  std::istringstream lines(parsed({"--help"}).text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 80U) << line;
  EXPECT_THAT(parsed({"module", "--help"}).text, HasSubstr("preview NAME"));
  EXPECT_THAT(parsed({"--version"}).text, HasSubstr("pipekit-ctl " PIPEKIT_VERSION));
}

TEST(CtlCommandLine, every_example_can_be_parsed) {
  for (const auto& verb : verbs()) {
    for (const auto& example : verb.examples) {
      if (example.find('\'') != std::string::npos || example.find('>') != std::string::npos) continue;
      std::istringstream words(example);
      std::vector<std::string> args(std::istream_iterator<std::string>(words), {});
      args.erase(args.begin());
      const auto invocation = parse_command_line(verbs(), args);
      ASSERT_TRUE(invocation) << example << ": " << invocation.error().message;
      EXPECT_EQ(invocation->verb->path, verb.path) << example;
    }
  }
}

// A help line is a sentence that says what the verb does: Show, List, Add.
TEST(CtlCommandLine, help_begins_with_a_verb) {
  const std::set<std::string> kImperatives = {"Start",   "Show",   "List",    "Give",   "Print",  "Change",  "Check",
                                              "Make",    "Cancel", "Explain", "Add",    "Remove", "Test",    "Enable",
                                              "Disable", "Take",   "Run",     "Create", "Allow",  "Release", "Revoke"};
  for (const auto& verb : verbs()) {
    const auto first = verb.about.substr(0, verb.about.find(' '));
    EXPECT_TRUE(kImperatives.contains(first)) << verb.path << ": " << verb.about;
  }
}

// --- fields as flags

Json fields(Kind kind, const std::vector<std::string>& args) {
  const auto given = fields_from(kind, parsed(args).arguments);
  EXPECT_TRUE(given);
  return given ? *given : Json();
}

TEST(CtlDefinitionFlags, only_what_was_given_is_sent) {
  EXPECT_EQ(fields(Kind::module, {"module", "update", "m", "--retries", "2", "--merge-key", "id", "--no-enabled"}),
            (Json{{"retries", 2}, {"merge_key", {"id"}}, {"enabled", false}}));
  EXPECT_EQ(fields(Kind::connection, {"connection", "update", "c", "--required-tag", "site:a", "--max-sessions", "4"}),
            (Json{{"required_tags", {"site:a"}}, {"max_sessions", 4}}));
  EXPECT_EQ(fields(Kind::connection, {"connection", "update", "c", "--required-tags", "site:a", "--username", ""}),
            (Json{{"required_tags", {"site:a"}}, {"username", ""}}));
  EXPECT_EQ(fields(Kind::group, {"group", "add", "g", "--member", "a", "--member", "b"}),
            (Json{{"members", {{{"module", "a"}, {"run_order", 1}}, {{"module", "b"}, {"run_order", 2}}}}}));
}

TEST(CtlDefinitionFlags, sql_may_stand_in_a_file) {
  const test::TempDir dir;
  const auto file = dir.write("q.sql", "SELECT 1\n");
  EXPECT_EQ(fields(Kind::module, {"module", "update", "m", "--source-query-file", file})["source_query"], "SELECT 1\n");
  const auto twice = parsed({"module", "update", "m", "--source-query-file", file, "--source-query", "x"});
  EXPECT_EQ(fields_from(Kind::module, twice.arguments).error().code, ErrorCode::kUsage);
  const auto absent = parsed({"module", "update", "m", "--source-query-file", dir.file("absent.sql")});
  EXPECT_THAT(fields_from(Kind::module, absent.arguments).error().message, HasSubstr("absent.sql"));
}

TEST(CtlDefinitionFlags, both_yes_and_no_is_refused) {
  const auto both = parsed({"module", "update", "m", "--enabled", "--no-enabled"});
  EXPECT_EQ(fields_from(Kind::module, both.arguments).error().code, ErrorCode::kUsage);
}

TEST(CtlDefinitionFlags, a_file_holds_the_fields_of_one_definition) {
  const test::TempDir dir;
  const auto file = dir.write(
      "m.yaml", "---\n# a module\nname: orders\nsource_query: |\n  SELECT 1\n\n  FROM t\nmerge_key: [a, b]\n");
  const auto module = definition_from_file(Kind::module, file);
  ASSERT_TRUE(module) << module.error().message;
  EXPECT_EQ((*module)["source_query"], "SELECT 1\n\nFROM t\n");
  EXPECT_EQ((*module)["merge_key"], (Json{"a", "b"}));
}

TEST(CtlDefinitionFlags, a_wrong_file_is_told_with_its_own_lines) {
  const test::TempDir dir;
  const auto file = dir.write("m.yaml", "name: orders\nretries: many\n");
  const auto module = definition_from_file(Kind::module, file);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(module.error().message, HasSubstr(file + ":2:"));
}

// --- configuration

Result<Config> resolved(const std::vector<std::string>& args, std::map<std::string, std::string> variables) {
  return resolve_config(parsed(args).global, [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(CtlConfig, flag_before_variable_before_file_before_default) {
  const test::TempDir dir;
  const auto file = dir.write("ctl.yaml", "timeout: 7\noutput: yaml\nlog_level: info\n");
  const auto config = resolved({"--config", file, "-o", "json", "status"},
                               {{"PIPEKIT_OUTPUT", "csv"}, {"PIPEKIT_TIMEOUT", "5"}, {"PIPEKIT_QUIET", ""}});
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->format, Format::json);
  EXPECT_EQ(config->timeout, std::chrono::seconds{5});
  EXPECT_EQ(config->log_level, "info");
  EXPECT_FALSE(config->quiet);
  EXPECT_EQ(config->endpoint, "ipc:///run/pipekit/control.sock");
}

TEST(CtlConfig, the_nearest_word_about_the_broker_decides) {
  EXPECT_EQ(resolved({"--data-dir", "/d", "status"}, {{"PIPEKIT_BROKER", "tcp://h:1"}})->endpoint,
            "ipc:///d/control.sock");
  EXPECT_EQ(resolved({"--broker", "tcp://h:1", "status"}, {{"PIPEKIT_DATA_DIR", "/d"}})->endpoint, "tcp://h:1");
  EXPECT_EQ(resolved({"--broker", "tcp://h:1", "--data-dir", "/d", "status"}, {})->endpoint, "tcp://h:1");
  EXPECT_EQ(resolved({"status"}, {{"PIPEKIT_DATA_DIR", "/d"}})->data_dir, "/d");
}

TEST(CtlConfig, a_path_that_only_a_shell_would_expand_is_refused) {
  const test::TempDir dir;
  for (const auto* key : {"data_dir", "key_file", "log_file"}) {
    const auto refused = resolved({"--config", dir.write("ctl.yaml", std::string(key) + ": ~/x\n"), "status"}, {});
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
    EXPECT_THAT(refused.error().hint, HasSubstr("write the path in full"));
  }
  EXPECT_FALSE(resolved({"--data-dir", "~/pk", "status"}, {}));
  EXPECT_FALSE(resolved({"status"}, {{"PIPEKIT_DATA_DIR", "~/pk"}}));
  EXPECT_FALSE(resolved({"--config", dir.write("relative.yaml", "data_dir: pk\n"), "status"}, {}));
}

TEST(CtlConfig, both_spellings_of_warning_are_levels_and_an_unknown_one_is_refused) {
  EXPECT_EQ(resolved({"--log-level", "warn", "status"}, {})->log_level, "warn");
  EXPECT_EQ(resolved({"status"}, {{"PIPEKIT_LOG_LEVEL", "warning"}})->log_level, "warning");
  EXPECT_THAT(resolved({"status"}, {{"PIPEKIT_LOG_LEVEL", "loud"}}).error().message, HasSubstr("PIPEKIT_LOG_LEVEL"));
}

TEST(CtlConfig, what_is_wrong_is_told_with_where_it_stands) {
  const test::TempDir dir;
  const auto file = dir.write("ctl.yaml", "quiet: true\ntimeuot: 7\n");
  const auto unknown = resolved({"--config", file, "status"}, {});
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kUsage);
  EXPECT_THAT(unknown.error().message, HasSubstr(file + ":2"));
  EXPECT_THAT(unknown.error().hint, HasSubstr("timeout"));
  EXPECT_THAT(resolved({"status"}, {{"PIPEKIT_TIMEOUT", "soon"}}).error().message, HasSubstr("PIPEKIT_TIMEOUT"));
  EXPECT_THAT(resolved({"--broker", "localhost", "status"}, {}).error().message, HasSubstr("--broker"));
  EXPECT_EQ(resolved({"--data-dir", "/" + std::string(100, 'd'), "status"}, {}).error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace pipekit::ctl
