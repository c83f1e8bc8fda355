#include "shared/pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using ::testing::HasSubstr;

std::string trouble(const std::string& text) {
  const auto pattern = Pattern::compile(text);
  return pattern ? "" : pattern.error().message;
}

TEST(Pattern, finds_its_group) {
  const auto pattern = Pattern::compile("rows: *([0-9]+)|none");
  ASSERT_TRUE(pattern) << pattern.error().message;
  EXPECT_EQ(pattern->group_in("read rows:  42 in 3 s"), "42");
  EXPECT_EQ(pattern->group_in("none"), std::nullopt);
  EXPECT_EQ(pattern->group_in("42"), std::nullopt);
  EXPECT_EQ(pattern->group_in(""), std::nullopt);
  EXPECT_EQ(Pattern::compile("x([0-9]*)")->group_in("x"), "");
}

TEST(Pattern, has_at_most_200_characters) {
  const std::string group = "(a)";
  EXPECT_EQ(trouble(group + std::string(197, 'x')), "");
  EXPECT_THAT(trouble(group + std::string(198, 'x')), HasSubstr("201 characters, at most 200"));
  std::string wide = group;
  for (int i = 0; i < 197; ++i) wide += "東";
  EXPECT_EQ(trouble(wide), "");
  EXPECT_THAT(trouble(wide + "東"), HasSubstr("at most 200"));
}

TEST(Pattern, whatever_it_is_crashes_nothing_and_says_little) {
  for (const auto& text :
       {std::string(100'000, '('), std::string(100'000, '(') + std::string(100'000, ')'), std::string(50'000'000, 'a'),
        std::string("((((((((((((((((((((a{99}){99}){99}){99}){99}){99})"), std::string("(\xFF)"),
        std::string("(a)\0(b)", 7), std::string("(a)\\1"), std::string("(x{1000}{1000})"), std::string(200, '(')}) {
    EXPECT_NE(trouble(text), "");
    EXPECT_LT(trouble(text).size(), 1000U);
  }
}

TEST(Pattern, matches_in_linear_time) {
  const auto pattern = Pattern::compile("(a|a|aa|a*)*b");
  ASSERT_TRUE(pattern);
  EXPECT_EQ(pattern->group_in(std::string(std::size_t{4} << 20U, 'a')), std::nullopt);
}

}  // namespace
}  // namespace pipekit
