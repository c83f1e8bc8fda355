#include "worker/fence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit::worker {
namespace {

using testing::HasSubstr;

const FenceKey kKey{"orders", "sales.orders", "S", 42, 7};
const std::vector<int64_t> kEarlier{5, 6};

Result<std::optional<FenceRow>> read(std::string_view rows) {
  return read_fence(*parse_csv(std::string{"store,epoch,closed,merged_epoch,row_count\n"}.append(rows)));
}

TEST(FenceAnswer, is_read) {
  const auto row = read("S,7,0,6,1200\n");
  ASSERT_TRUE(row) << row.error().message;
  ASSERT_TRUE(row->has_value());
  EXPECT_EQ((*row)->store, "S");
  EXPECT_EQ((*row)->epoch, 7);
  EXPECT_FALSE((*row)->closed);
  EXPECT_EQ((*row)->merged_epoch, 6);
  EXPECT_EQ((*row)->row_count, 1200);
  EXPECT_EQ((*read("S,7,1,,\n"))->merged_epoch, std::nullopt);
  EXPECT_TRUE((*read("S,7,1,,\n"))->closed);
}

TEST(FenceAnswer, without_a_row_is_no_row) {
  const auto row = read("");
  ASSERT_TRUE(row);
  EXPECT_FALSE(row->has_value());
}

TEST(FenceAnswer, that_is_something_else_is_an_error) {
  for (const auto& [rows, reason] :
       {std::pair{"S,7,0,,\nS,8,0,,\n", "has 2 rows"}, std::pair{"S,seven,0,,\n", "epoch in row 1 is \"seven\""},
        std::pair{"S,7,,,\n", "closed in row 1 is NULL"}, std::pair{"S,7,0,6,\n", "row_count in row 1 is NULL"}}) {
    const auto row = read(rows);
    ASSERT_FALSE(row) << rows;
    EXPECT_EQ(row.error().code, ErrorCode::kExecutionFailed);
    EXPECT_THAT(row.error().message, HasSubstr(reason));
  }
  EXPECT_FALSE(read_fence(*parse_csv("message\n")));
  EXPECT_FALSE(read_fence(*parse_csv("store,epoch\nS,7\n")));
}

struct Claim {
  FenceRow row;
  ClaimVerdict verdict;
};

TEST(ClaimAnswer, decides) {
  const Claim claims[]{
      {{"S", 7, false, {}, {}}, ClaimVerdict::kHeld},       {{"S", 7, false, 6, 10}, ClaimVerdict::kAdopt},
      {{"S", 7, false, 5, 10}, ClaimVerdict::kAdopt},       {{"S", 7, false, 4, 10}, ClaimVerdict::kLostHistory},
      {{"S", 7, false, 7, 10}, ClaimVerdict::kLostHistory}, {{"S", 8, false, {}, {}}, ClaimVerdict::kStale},
      {{"S", 8, false, 6, 10}, ClaimVerdict::kStale},       {{"S", 7, true, {}, {}}, ClaimVerdict::kStale},
      {{"T", 7, false, {}, {}}, ClaimVerdict::kOtherStore}, {{"T", 1, true, {}, {}}, ClaimVerdict::kOtherStore},
      {{"s", 7, false, {}, {}}, ClaimVerdict::kOtherStore},
  };
  for (const auto& [row, verdict] : claims) {
    EXPECT_EQ(judge_claim(row, kKey, kEarlier), verdict)
        << row.store << row.epoch << row.closed << row.merged_epoch.value_or(-1);
  }
}

TEST(CloseAnswer, says_how_many_rows_the_run_has_merged) {
  EXPECT_EQ(*outcome_of(FenceRow{"S", 7, true, 7, 10}, kKey, kEarlier), 10);
  EXPECT_EQ(*outcome_of(FenceRow{"S", 7, true, 6, 10}, kKey, kEarlier), 10);
  EXPECT_EQ(*outcome_of(FenceRow{"S", 8, false, 7, 10}, kKey, kEarlier), 10);
  EXPECT_EQ(*outcome_of(FenceRow{"S", 7, true, {}, {}}, kKey, kEarlier), std::nullopt);
  EXPECT_EQ(*outcome_of(FenceRow{"S", 7, true, 3, 10}, kKey, kEarlier), std::nullopt);
  EXPECT_EQ(*outcome_of(FenceRow{"T", 1, false, {}, {}}, kKey, kEarlier), std::nullopt);
  EXPECT_EQ(*outcome_of(std::nullopt, kKey, kEarlier), std::nullopt);
}

TEST(CloseAnswer, proves_nothing_while_the_epoch_is_open) {
  const auto outcome = outcome_of(FenceRow{"S", 7, false, {}, {}}, kKey, kEarlier);
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().message, HasSubstr("epoch 7 open"));
}

}  // namespace
}  // namespace pipekit::worker
