#include "worker/row_count.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit::worker {
namespace {

using testing::HasSubstr;

std::optional<int64_t> count_of(std::string_view line) {
  RowCount count;
  count.feed(line);
  return count.result();
}

struct Case {
  std::string line;
  std::optional<int64_t> rows;
};

class DefaultRowCount : public testing::TestWithParam<Case> {};

TEST_P(DefaultRowCount, is_the_number_before_the_word) {
  EXPECT_EQ(count_of(GetParam().line), GetParam().rows) << GetParam().line;
}

INSTANTIATE_TEST_SUITE_P(Lines, DefaultRowCount,
                         testing::Values(Case{"1 row", 1}, Case{"0 rows", 0}, Case{"42 rows copied", 42},
                                         Case{"Done: 42\trows.", 42}, Case{"1,234,567 rows in 3 s", 1234567},
                                         Case{"1.234 rows", 1234}, Case{"1'234 rows", 1234},
                                         Case{"1\u202F234\u202F567 rows", 1234567}, Case{"1\u00A0234 rows", 1234},
                                         Case{"1\u2019234 rows", 1234}, Case{"12:00:01 INFO [1] 500 Rows", 500},
                                         Case{"table 3 500 rows", 500}, Case{"count=7 ROWS", 7},
                                         Case{"10 rows read, 9 rows written", 10}, Case{"transferred 99 row(s)", 99},
                                         Case{"1000 rows at 5000 rows/s", 1000}, Case{"007 rows", 7},
                                         Case{"9223372036854775807 rows", 9223372036854775807}));

INSTANTIATE_TEST_SUITE_P(NoRows, DefaultRowCount,
                         testing::Values(Case{"", {}}, Case{"rows", {}}, Case{"no rows", {}}, Case{"12", {}},
                                         Case{"2.50 rows", {}}, Case{"1,23 rows", {}}, Case{"1234,567 rows", {}},
                                         Case{"1,234.567 rows", {}}, Case{"-1 rows", {}}, Case{"v2 rows", {}},
                                         Case{"5000 rows/s", {}}, Case{"12 rowsets", {}}, Case{"12rows", {}},
                                         Case{"12, rows", {}}, Case{"9223372036854775808 rows", {}}));

TEST(RowCount, of_the_last_matching_line_counts) {
  RowCount count;
  EXPECT_EQ(count.result(), std::nullopt);
  for (const auto* line : {"100 rows so far", "250 rows", "finished", ""}) count.feed(line);
  EXPECT_EQ(count.result(), 250);
}

TEST(RowCount, looks_at_the_beginning_of_a_very_long_line_only) {
  RowCount count;
  count.feed("12 rows " + std::string(1 << 20, '9') + " rows");
  EXPECT_EQ(count.result(), 12);
  count.feed(std::string(1 << 20, 'x') + " 13 rows");
  EXPECT_EQ(count.result(), 12);
}

TEST(RowCount, by_an_expression_of_the_operators) {
  auto count = RowCount::with_pattern("Zeilen: *([0-9., ]*[0-9])");
  ASSERT_TRUE(count) << count.error().message;
  count->feed("99 rows");
  EXPECT_EQ(count->result(), std::nullopt);
  count->feed("Zeilen: 12 345");
  EXPECT_EQ(count->result(), 12345);
  count->feed("Zeilen: 1.234, fertig");
  EXPECT_EQ(count->result(), 1234);
  count->feed("Zeilen: 1.5");
  EXPECT_EQ(count->result(), 1234);
}

TEST(RowCount, by_an_expression_survives_a_line_that_makes_others_recurse) {
  auto count = RowCount::with_pattern("(a|b)*x");
  ASSERT_TRUE(count);
  count->feed(std::string(64 << 10, 'a'));
  EXPECT_EQ(count->result(), std::nullopt);
}

TEST(RowCount, refuses_expressions_that_cannot_count) {
  for (const auto& [pattern, reason] :
       {std::pair{"([0-9]+ rows", "missing )"}, std::pair{"[0-9]+ rows", "it has 0 groups"},
        std::pair{"([0-9]+) (rows)", "it has 2 groups"}}) {
    const auto count = RowCount::with_pattern(pattern);
    ASSERT_FALSE(count) << pattern;
    EXPECT_EQ(count.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(count.error().message, HasSubstr(reason));
    EXPECT_THAT(count.error().message, HasSubstr(pattern));
  }
}

}  // namespace
}  // namespace pipekit::worker
