#include "worker/placeholders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit::worker {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Values = std::map<std::string, std::string>;

struct Case {
  std::string text;
  Values values;
  std::string result;
};

class Substitution : public testing::TestWithParam<Case> {};

TEST_P(Substitution, is_by_the_contract) {
  const auto& [text, values, result] = GetParam();
  const auto got = substitute(text, values);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*got, result);
}

INSTANTIATE_TEST_SUITE_P(Texts, Substitution,
                         testing::Values(Case{"", {}, ""}, Case{"SELECT 1", {}, "SELECT 1"},
                                         Case{"id > {last_id}", {{"last_id", "42"}}, "id > 42"},
                                         Case{"{a}{a}{b}", {{"a", "1"}, {"b", "2"}}, "112"},
                                         Case{"{_A9}", {{"_A9", "x"}}, "x"}, Case{"{{name}}", {}, "{name}"},
                                         Case{"{{{n}}}", {{"n", "v"}}, "{v}"}, Case{"{n}}}", {{"n", "v"}}, "v}"},
                                         Case{"'{\"a\": 1}'", {}, "'{\"a\": 1}'"},
                                         Case{"{} { } {1} {a b} {a", {}, "{} { } {1} {a b} {a"}, Case{"}", {}, "}"},
                                         Case{"{", {}, "{"}, Case{"{ä}", {}, "{ä}"}, Case{"x{n}", {{"n", ""}}, "x"},
                                         Case{"'{v}'", {{"v", "it's {v} {{"}}, "'it's {v} {{'"}));

TEST(Placeholders, are_listed_once_in_order_of_first_use) {
  EXPECT_THAT(placeholders_in("{b} {a} {{c}} {b} {d"), ElementsAre("b", "a"));
  EXPECT_THAT(placeholders_in("no braces"), IsEmpty());
}

TEST(Placeholders, without_a_value_are_an_error_that_names_them_and_what_there_is) {
  const auto got = substitute("{last_id} {from} {since}", {{"since", "1"}, {"other", "2"}});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(got.error().message, HasSubstr("placeholder {last_id}, {from} of the query"));
  EXPECT_THAT(got.error().message, HasSubstr("values for {other}, {since}"));
}

TEST(Placeholders, that_nothing_uses_are_an_error_that_names_them_and_what_there_is) {
  const auto got = substitute("SELECT {a}", {{"a", "1"}, {"lost", "2"}});
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(got.error().message, HasSubstr("the value of {lost} is not used by the query; its placeholders are {a}"));
  const auto none = substitute("SELECT 1", {{"lost", "2"}});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message, HasSubstr("its placeholders are none"));
}

}  // namespace
}  // namespace pipekit::worker
