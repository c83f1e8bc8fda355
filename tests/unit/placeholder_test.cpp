#include "shared/placeholder.h"

#include <gtest/gtest.h>

namespace pipekit {
namespace {

using Names = std::vector<std::string>;
using Values = std::map<std::string, std::string>;

TEST(Placeholder, is_a_name_between_braces) {
  const std::pair<const char*, Names> cases[] = {
      {"SELECT 1", {}},
      {"id > {last_id}", {"last_id"}},
      {"{a}{b}{a}", {"a", "b"}},
      {"{_x9}", {"_x9"}},
      {"{9x} {a b} {} {a-b} {a", {}},
      {"}{a}{", {"a"}},
      {"{{a}}", {}},
      {"{{{a}}}", {"a"}},
      {"'{\"k\": {x}}'", {"x"}},
      {"{\xc3\xa9}", {}},
  };
  for (const auto& [text, names] : cases) EXPECT_EQ(placeholders_in(text), names) << text;
}

TEST(Placeholder, is_replaced_by_its_value_as_it_is) {
  const struct {
    const char* text;
    Values values;
    const char* becomes;
  } cases[] = {
      {"", {}, ""},
      {"id > {last_id} OR {last_id} = 0", {{"last_id", "7"}}, "id > 7 OR 7 = 0"},
      {"{a}{b}", {{"a", "1"}, {"b", "2"}}, "12"},
      {"{{a}} }} {{", {}, "{a} } {"},
      {"{{{a}}}", {{"a", "1"}}, "{1}"},
      {"{ } {1} {a b}", {}, "{ } {1} {a b}"},
      {"{a}", {{"a", "{b} {{"}}, "{b} {{"},
      {"x{a}", {{"a", ""}}, "x"},
  };
  for (const auto& one : cases) {
    const auto made = substitute(one.text, one.values);
    ASSERT_TRUE(made.ok()) << one.text;
    EXPECT_EQ(*made, one.becomes) << one.text;
  }
}

TEST(Placeholder, refuses_what_has_no_value_and_what_is_not_used) {
  const struct {
    const char* text;
    Values values;
    const char* message;
  } cases[] = {
      {"{a} {b}", {}, "no value for {a}, {b}"},
      {"1", {{"a", "1"}, {"b", "2"}}, "not used in the query: a, b"},
      {"{a}", {{"b", "2"}}, "no value for {a}; not used in the query: b"},
      {"{{a}}", {{"a", "2"}}, "not used in the query: a"},
  };
  for (const auto& one : cases) {
    const auto made = substitute(one.text, one.values);
    ASSERT_FALSE(made.ok()) << one.text;
    EXPECT_EQ(made.error().code, ErrorCode::kInvalid);
    EXPECT_EQ(made.error().message, one.message);
  }
}

TEST(Placeholder, is_found_in_a_long_text_of_braces_in_one_pass) {
  EXPECT_TRUE(placeholders_in(std::string(2'000'001, '{')).empty());
  EXPECT_EQ(substitute(std::string(2'000'000, '{'), {})->size(), 1'000'000U);
}

TEST(Placeholder, long_names_that_are_not_closed_cost_no_more_than_one_pass) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "{abcdefgh";
  EXPECT_TRUE(placeholders_in(text).empty());
}

TEST(Placeholder, names_are_identifiers) {
  for (const auto* name : {"a", "_", "A9_z"}) EXPECT_TRUE(is_placeholder_name(name)) << name;
  for (const auto* name : {"", "9a", "a-b", "a b", "\xc3\xa9"}) EXPECT_FALSE(is_placeholder_name(name)) << name;
}

}  // namespace
}  // namespace pipekit
