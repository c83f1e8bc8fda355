#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bench/report.h"

namespace pipekit::bench {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

const std::vector<Figure> kFigures{{"fast", "jobs_per_s", "as fast as it goes", "jobs/s", "alone", "per_s", "alone"},
                                   {"fast", "p50_us", "one at a time", "us"},
                                   {"fast", "never", "not measured", "s"}};

Round round_of(int number, double jobs, double alone) {
  return {number,
          false,
          {{"fast", Json::object(), {{"jobs_per_s", jobs}, {"p50_us", 500}}},
           {"alone", Json::object(), {{"per_s", alone}}}}};
}

TEST(BenchSummary, tells_the_median_with_the_least_and_the_greatest) {
  EXPECT_EQ(spread_of({3, 1, 9}).median, 3);
  EXPECT_EQ(spread_of({3, 1, 9, 5}).median, 4);
  EXPECT_EQ(spread_of({3, 1, 9}).least, 1);
  EXPECT_EQ(spread_of({3, 1, 9}).greatest, 9);
}

TEST(BenchSummary, a_percentile_is_one_of_the_values) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  EXPECT_EQ(percentile(values, 50), 50);
  EXPECT_EQ(percentile(values, 99), 99);
  EXPECT_EQ(percentile(values, 100), 100);
  EXPECT_EQ(percentile({7}, 1), 7);
}

TEST(BenchSummary, a_ratio_is_taken_within_each_round) {
  const auto all = summarise("queue", kFigures, {round_of(1, 100, 200), round_of(2, 10, 40), round_of(3, 50, 50)});
  ASSERT_THAT(all, SizeIs(2)) << "what no round has is left out";
  ASSERT_TRUE(all[0].ratio);
  EXPECT_DOUBLE_EQ(all[0].ratio->median, 0.5);
  EXPECT_DOUBLE_EQ(all[0].ratio->least, 0.25);
  EXPECT_FALSE(all[1].ratio);
}

TEST(BenchReport, numbers_have_as_many_digits_as_they_mean) {
  EXPECT_EQ(number_text(1234567.8), "1,234,568");
  EXPECT_EQ(number_text(999.6), "1,000");
  EXPECT_EQ(number_text(99.96), "100");
  EXPECT_EQ(number_text(12.34), "12.3");
  EXPECT_EQ(number_text(0.126), "0.13");
  EXPECT_EQ(number_text(-1500), "-1,500");
}

TEST(BenchReport, a_table_fits_into_80_columns) {
  auto rounds = {round_of(1, 12345678, 200), round_of(2, 87654321, 40)};
  auto all = summarise("queue", kFigures, rounds);
  for (auto& summary : all) summary.disturbed = 1;
  const auto text = table("A queue", all);
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) EXPECT_LE(text.find('\n', at) - at, 80U) << text;
  EXPECT_THAT(text, HasSubstr("50,000,000 jobs/s"));
  EXPECT_THAT(text, HasSubstr("12,345,678..87,654,321 ~"));
}

TEST(BenchReport, a_bar_in_a_label_is_no_end_of_a_cell_of_markdown) {
  auto figures = kFigures;
  figures[0].beside_label = "a | b";
  EXPECT_THAT(markdown("A queue", summarise("queue", figures, {round_of(1, 100, 200)})),
              HasSubstr("| 0.50 x a \\| b |\n"));
}

TEST(BenchReport, a_line_of_json_has_labels_and_values) {
  Line line{"fast", {{"peer", "pipekit"}}, {{"jobs_per_s", 12.5}}};
  const auto json = Json::parse(json_line("queue", {2, true, {}}, line));
  EXPECT_EQ(json, Json({{"bench", "queue"},
                        {"variant", "fast"},
                        {"peer", "pipekit"},
                        {"jobs_per_s", 12.5},
                        {"round", 2},
                        {"disturbed", true}}));
}

}  // namespace
}  // namespace pipekit::bench
