#include <gtest/gtest.h>

#include "worker/jrunner/arguments.h"

namespace pipekit::jrunner {
namespace {

Result<Arguments> parse(const std::vector<std::string>& args) {
  return parse_arguments(args, [](const std::string& name) {
    return name == "PW" ? std::optional<std::string>("from env") : std::nullopt;
  });
}

TEST(JrunnerArguments, with_a_table_it_is_a_migration) {
  const auto parsed = parse(
      {"-scu", "S", "-scn", "u", "-scp", "p", "-dcu", "D", "-dcn", "v", "-dcp", "env:PW", "-sq", "f", "-dt", "t"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->mode, Mode::kMigration);
  EXPECT_EQ(parsed->source.url, "S");
  EXPECT_EQ(parsed->source.user, "u");
  EXPECT_EQ(parsed->source.password, "p");
  EXPECT_EQ(parsed->destination.password, "from env");
  EXPECT_EQ(parsed->table, "t");
}

TEST(JrunnerArguments, without_one_it_is_a_script) {
  const auto parsed = parse({"-sq", "f", "-f", "tsv", "-scu", "S"});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->mode, Mode::kQuery);
  EXPECT_EQ(parsed->format, TableFormat::kTsv);
  EXPECT_EQ(parsed->source.user, std::nullopt);
}

TEST(JrunnerArguments, a_value_may_look_like_a_flag) {
  EXPECT_EQ(parse({"-scu", "S", "-scp", "-dt", "-sq", "f"})->source.password, "-dt");
}

TEST(JrunnerArguments, each_mistake_is_named) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> mistakes{
      {{}, "-scu URL is missing"},
      {{"-scu"}, "-scu needs a value"},
      {{"-scu", "S"}, "-sq FILE is missing"},
      {{"-scu", "S", "-sq", "f", "-scu", "T"}, "-scu is given twice"},
      {{"-url", "S"}, "unknown argument: -url"},
      {{"-scu", "S", "-sq", "f", "-f", "xml"}, "-f xml: the format is csv or tsv"},
      {{"-scu", "S", "-sq", "f", "-dt", "t"}, "-dt needs -dcu URL and -dt TABLE as well"},
      {{"-scu", "S", "-sq", "f", "-dcu", "D"}, "-dcu needs -dcu URL and -dt TABLE as well"},
      {{"-scu", "S", "-sq", "f", "-dcu", "D", "-dt", "t", "-f", "csv"}, "-f belongs to query mode"},
      {{"-scu", "S", "-sq", "f", "-scp", "env:NONE"}, "the variable NONE is not set"},
  };
  for (const auto& [args, message] : mistakes) {
    const auto parsed = parse(args);
    ASSERT_FALSE(parsed.ok()) << message;
    EXPECT_EQ(parsed.error().code, ErrorCode::kUsage);
    EXPECT_NE(parsed.error().message.find(message), std::string::npos) << parsed.error().message;
  }
}

TEST(JrunnerArguments, help_and_version_need_nothing_else) {
  EXPECT_EQ(parse({"--help"})->mode, Mode::kHelp);
  EXPECT_EQ(parse({"--version"})->mode, Mode::kVersion);
}

}  // namespace
}  // namespace pipekit::jrunner
