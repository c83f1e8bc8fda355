#include "shared/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace pipekit {
namespace {

using testing::HasSubstr;

class ConfigFile : public testing::Test {
 protected:
  Result<ConfigValues> read(std::string_view text) {
    return read_config(dir_.write("broker.yaml", text), {"data-dir", "lease", "tag"});
  }
  std::string refusal(std::string_view text) {
    const auto values = read(text);
    if (values) return "accepted";
    EXPECT_EQ(values.error().code, ErrorCode::kUsage);
    return values.error().message + " | " + values.error().hint;
  }
  test::TempDir dir_;
};

TEST_F(ConfigFile, has_values_and_lists_of_values) {
  const auto values = read("# broker\ndata-dir: /var/lib/pipekit\nlease: 060\ntag: [a, 'b c']\n");
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ(*values, (ConfigValues{{"data-dir", {"/var/lib/pipekit"}}, {"lease", {"060"}}, {"tag", {"a", "b c"}}}));
  EXPECT_TRUE(read("")->empty());
  EXPECT_TRUE(read("# nothing\n")->empty());
}

TEST_F(ConfigFile, has_maps_of_values_where_the_program_takes_them) {
  const auto file = dir_.write("worker.yaml", "hosts:\n  A: [h1, 'h2:5']\n  B: h3\ntag: t\n");
  const auto values = read_config(file, {"hosts", "tag"}, {"hosts"});
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_EQ(values->at("hosts"), (std::vector<std::string>{"A=h1", "A=h2:5", "B=h3"}));
  const auto bad = read_config(dir_.write("bad.yaml", "hosts:\n  A:\n    B: c\n"), {"hosts"}, {"hosts"});
  ASSERT_FALSE(bad);
  EXPECT_THAT(bad.error().message, HasSubstr("bad.yaml:3: hosts.A: expected a value or a list of values"));
}

TEST_F(ConfigFile, is_refused_with_the_line_and_what_was_meant) {
  EXPECT_THAT(refusal("lease: 1\nleese: 2\n"), HasSubstr("broker.yaml:2: unknown key \"leese\""));
  EXPECT_THAT(refusal("leese: 2\n"), HasSubstr("| did you mean 'lease'?"));
  EXPECT_THAT(refusal("lease: 1\nlease: 2\n"), HasSubstr("broker.yaml:2: \"lease\" again"));
  EXPECT_THAT(refusal("lease:\n  x: 1\n"), HasSubstr("lease: expected a value or a list of values"));
  EXPECT_THAT(refusal("tag: [a, [b]]\n"), HasSubstr("tag: expected a list of plain values"));
  EXPECT_THAT(refusal("lease:\n"), HasSubstr("lease: expected a value"));
  EXPECT_THAT(refusal("- a\n"), HasSubstr("expected keys with values"));
  EXPECT_THAT(refusal("just text"), HasSubstr("expected keys with values"));
  EXPECT_THAT(refusal("a: [1\n"), HasSubstr("broker.yaml:"));
  EXPECT_THAT(refusal("[a, b]: 1\n"), HasSubstr("broker.yaml:1"));
  EXPECT_THAT(refusal("lease: *nowhere\n"), HasSubstr("broker.yaml:1"));
}

TEST_F(ConfigFile, that_goes_on_after_its_end_is_refused) {
  EXPECT_THAT(refusal("lease: 1\n---\nlease: 2\n"), HasSubstr("broker.yaml:3: a second document"));
  EXPECT_THAT(refusal(","), HasSubstr("broker.yaml:1: "));
}

TEST_F(ConfigFile, that_was_cut_off_is_refused) { EXPECT_THAT(refusal("lease: \"1"), HasSubstr("broker.yaml:")); }

TEST_F(ConfigFile, that_is_a_directory_is_named) {
  const auto values = read_config(dir_.path(), {});
  ASSERT_FALSE(values);
  EXPECT_THAT(values.error().message, HasSubstr("cannot read"));
}

TEST_F(ConfigFile, that_cannot_be_read_is_named) {
  const auto values = read_config(dir_.file("none.yaml"), {});
  ASSERT_FALSE(values);
  EXPECT_THAT(values.error().message, HasSubstr("none.yaml"));
}

}  // namespace
}  // namespace pipekit
