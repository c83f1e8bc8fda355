// FENCE.md, "Why absent is final", as dialogues with real databases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/system/destination.h"

namespace pipekit::test {
namespace {

using testing::HasSubstr;
using worker::ClaimVerdict;

class Fence : public testing::TestWithParam<const char*> {
 protected:
  static std::unique_ptr<TestDatabase> make() {
    return std::string_view{GetParam()} == "sqlite" ? new_sqlite_database() : new_postgres_database();
  }

  ClaimVerdict verdict(const FenceKey& key, const QueryAnswer& answer, const std::vector<int64_t>& earlier = {}) {
    EXPECT_TRUE(answer.ok()) << answer.error;
    const auto row = worker::read_fence(answer.csv);
    EXPECT_TRUE(row && row->has_value());
    return row && *row ? worker::judge_claim(**row, key, earlier) : ClaimVerdict::kStale;
  }

  Destination there{make()};
  const std::string merged_ = "1|10|old\n2|20|new\n3|20|new\n4|20|new";
};

INSTANTIATE_TEST_SUITE_P(Engines, Fence, testing::Values("sqlite", "postgresql"),
                         [](const auto& tested) { return std::string{tested.param}; });

TEST_P(Fence, is_held_after_the_first_claim_and_after_it_is_sent_again) {
  const auto key = there.key(42, 7);
  EXPECT_EQ(text_of(there.claim(key)), "S|7|0|NULL|NULL");
  EXPECT_EQ(verdict(key, there.claim(key)), ClaimVerdict::kHeld);
}

TEST_P(Fence, lets_a_merge_commit_and_the_next_attempt_adopts_its_rows) {
  const auto key = there.key(42, 7);
  there.claim(key);
  EXPECT_EQ(text_of(there.merge(key, there.stage(key, "new"))), "");
  EXPECT_EQ(there.rows(), merged_);
  const auto next = there.key(42, 8);
  const auto answer = there.claim(next);
  EXPECT_EQ(text_of(answer), "S|8|0|7|3");
  EXPECT_EQ(verdict(next, answer, {7}), ClaimVerdict::kAdopt);
  EXPECT_EQ(verdict(next, answer, {5}), ClaimVerdict::kLostHistory);
}

TEST_P(Fence, refuses_the_second_merge_of_an_attempt) {
  const auto key = there.key(42, 7);
  there.claim(key);
  const auto plan = there.stage(key, "new");
  EXPECT_TRUE(there.merge(key, plan).ok());
  there.must("DELETE FROM orders WHERE id = 4;\n");
  EXPECT_FALSE(there.merge(key, plan).ok());
  EXPECT_EQ(there.rows(), "1|10|old\n2|20|new\n3|20|new");
}

TEST_P(Fence, refuses_the_merge_of_a_second_attempt_after_the_first_ones) {
  const auto first = there.key(42, 7);
  there.claim(first);
  EXPECT_TRUE(there.merge(first, there.stage(first, "new")).ok());
  const auto second = there.key(42, 8);
  there.claim(second);
  EXPECT_FALSE(there.merge(second, there.stage(second, "twice")).ok());
  EXPECT_EQ(there.rows(), merged_);
}

TEST_P(Fence, refuses_a_merge_that_comes_after_a_newer_claim) {
  const auto old = there.key(42, 7);
  there.claim(old);
  const auto plan = there.stage(old, "zombie");
  there.claim(there.key(42, 8));
  EXPECT_THAT(there.merge(old, plan).error, HasSubstr("epoch"));
  EXPECT_EQ(there.rows(), kUntouched);
  EXPECT_EQ(text_of(there.claim(there.key(42, 8))), "S|8|0|NULL|NULL");
}

TEST_P(Fence, refuses_a_merge_without_a_claim) {
  const auto key = there.key(42, 7);
  there.claim(there.key(42, 7, "another module"));
  EXPECT_FALSE(there.merge(key, there.stage(key, "unclaimed")).ok());
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST_P(Fence, that_is_closed_refuses_the_merge) {
  const auto key = there.key(42, 7);
  there.claim(key);
  const auto plan = there.stage(key, "new");
  const auto closed = there.close(key);
  EXPECT_EQ(text_of(closed), "S|7|1|NULL|NULL");
  EXPECT_EQ(*worker::outcome_of(*worker::read_fence(closed.csv), key, {}), std::nullopt);
  EXPECT_FALSE(there.merge(key, plan).ok());
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST_P(Fence, that_is_closed_is_not_opened_by_the_same_claim_but_by_the_next) {
  const auto key = there.key(42, 7);
  there.claim(key);
  there.close(key);
  EXPECT_EQ(verdict(key, there.claim(key)), ClaimVerdict::kStale);
  EXPECT_EQ(verdict(there.key(42, 8), there.claim(there.key(42, 8))), ClaimVerdict::kHeld);
}

TEST_P(Fence, that_is_closed_after_the_merge_answers_its_rows) {
  const auto key = there.key(42, 7);
  there.claim(key);
  EXPECT_TRUE(there.merge(key, there.stage(key, "new")).ok());
  const auto closed = there.close(key);
  EXPECT_EQ(text_of(closed), "S|7|1|7|3");
  EXPECT_EQ(*worker::outcome_of(*worker::read_fence(closed.csv), key, {}), 3);
}

TEST_P(Fence, refuses_a_merge_whose_staging_has_other_rows_than_were_verified) {
  const auto key = there.key(42, 7);
  there.claim(key);
  auto plan = there.stage(key, "new", MergeStrategy::kFull);
  for (const int64_t verified : {2, 4}) {
    plan.staged_rows = verified;
    EXPECT_FALSE(there.merge(key, plan).ok());
    EXPECT_EQ(there.rows(), kUntouched);
  }
  plan.staged_rows = 3;
  there.must("DELETE FROM " + plan.staging.sql + ";\n");
  EXPECT_FALSE(there.merge(key, plan).ok());
  there.must(there.dialect().drop_staging_script(std::vector{plan.staging}));
  EXPECT_FALSE(there.merge(key, plan).ok());
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST_P(Fence, of_another_store_is_reported_and_refuses_the_merge) {
  there.claim(there.key(42, 70));
  auto key = there.key(1, 71);
  key.store = "T";
  const auto answer = there.claim(key);
  EXPECT_EQ(text_of(answer), "S|70|0|NULL|NULL");
  EXPECT_EQ(verdict(key, answer), ClaimVerdict::kOtherStore);
  EXPECT_FALSE(there.merge(key, there.stage(key, "foreign")).ok());
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST_P(Fence, is_taken_over_from_another_store_on_an_operators_word) {
  const auto old = there.key(42, 70);
  there.claim(old);
  const auto old_plan = there.stage(old, "old store");
  auto key = there.key(1, 3);
  key.store = "T";
  EXPECT_EQ(text_of(there.run(there.dialect().take_over_script(key, "U", seconds{60}))), "S|70|0|NULL|NULL");
  EXPECT_EQ(text_of(there.run(there.dialect().take_over_script(key, "S", seconds{60}))), "T|3|0|NULL|NULL");
  EXPECT_FALSE(there.merge(old, old_plan).ok());
  EXPECT_EQ(verdict(key, there.claim(key)), ClaimVerdict::kHeld);
  EXPECT_TRUE(there.merge(key, there.stage(key, "new")).ok());
  EXPECT_EQ(there.rows(), merged_);
}

TEST_P(Fence, is_not_lowered_by_a_late_claim) {
  there.claim(there.key(42, 8));
  const auto late = there.key(42, 7);
  const auto answer = there.claim(late);
  EXPECT_EQ(text_of(answer), "S|8|0|NULL|NULL");
  EXPECT_EQ(verdict(late, answer), ClaimVerdict::kStale);
}

TEST_P(Fence, makes_a_claim_wait_for_the_merge_in_flight_and_see_it) {
  const auto old = there.key(42, 7);
  there.claim(old);
  const auto plan = there.stage(old, "new");
  auto merging = there.database().connect();
  ASSERT_TRUE(merging->run_until_commit(there.dialect().merge_script(old, plan)).ok());
  const auto claiming = there.database().connect()->run(there.dialect().claim_script(there.key(42, 8), seconds{60}),
                                                        [&] { EXPECT_TRUE(merging->rest().ok()); });
  EXPECT_EQ(text_of(claiming), "S|8|0|7|3");
  EXPECT_EQ(there.rows(), merged_);
}

TEST_P(Fence, makes_a_claim_wait_for_the_merge_in_flight_and_see_that_it_was_undone) {
  const auto old = there.key(42, 7);
  there.claim(old);
  const auto plan = there.stage(old, "new");
  auto merging = there.database().connect();
  ASSERT_TRUE(merging->run_until_commit(there.dialect().merge_script(old, plan)).ok());
  const auto claiming = there.database().connect()->run(there.dialect().claim_script(there.key(42, 8), seconds{60}),
                                                        [&] { merging.reset(); });
  EXPECT_EQ(text_of(claiming), "S|8|0|NULL|NULL");
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST_P(Fence, makes_a_close_wait_for_the_merge_in_flight_and_see_it) {
  const auto key = there.key(42, 7);
  there.claim(key);
  const auto plan = there.stage(key, "new");
  auto merging = there.database().connect();
  ASSERT_TRUE(merging->run_until_commit(there.dialect().merge_script(key, plan)).ok());
  const auto closing = there.database().connect()->run(there.dialect().close_script(key, seconds{60}),
                                                       [&] { EXPECT_TRUE(merging->rest().ok()); });
  EXPECT_EQ(text_of(closing), "S|7|1|7|3");
}

TEST_P(Fence, makes_a_merge_wait_for_the_claim_in_flight_and_fail_before_its_delete) {
  const auto old = there.key(42, 7);
  there.claim(old);
  const auto plan = there.stage(old, "zombie");
  auto claiming = there.database().connect();
  ASSERT_TRUE(claiming->run_until_commit(there.dialect().claim_script(there.key(42, 8), seconds{60})).ok());
  QueryAnswer claimed;
  const auto merging =
      there.database().connect()->run(there.dialect().merge_script(old, plan), [&] { claimed = claiming->rest(); });
  EXPECT_EQ(text_of(claimed), "S|8|0|NULL|NULL");
  EXPECT_THAT(merging.error, HasSubstr("epoch"));
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST_P(Fence, makes_a_merge_wait_for_the_close_in_flight_and_fail_before_its_delete) {
  const auto key = there.key(42, 7);
  there.claim(key);
  const auto plan = there.stage(key, "cancelled");
  auto closing = there.database().connect();
  ASSERT_TRUE(closing->run_until_commit(there.dialect().close_script(key, seconds{60})).ok());
  const auto merging = there.database().connect()->run(there.dialect().merge_script(key, plan),
                                                       [&] { EXPECT_EQ(text_of(closing->rest()), "S|7|1|NULL|NULL"); });
  EXPECT_FALSE(merging.ok());
  EXPECT_EQ(there.rows(), kUntouched);
}

TEST_P(Fence, of_a_batch_that_begins_after_the_close_still_refuses) {
  const auto key = there.key(42, 7);
  there.claim(key);
  const auto script = there.dialect().merge_script(key, there.stage(key, "late"));
  EXPECT_EQ(text_of(there.close(key)), "S|7|1|NULL|NULL");
  EXPECT_FALSE(there.run(script).ok());
  EXPECT_EQ(text_of(there.run(there.dialect().fence_script(key))), "S|7|1|NULL|NULL");
}

TEST_P(Fence, trims_the_rows_of_the_modules_own_earlier_runs_only) {
  const auto merge = [&](const FenceKey& key) {
    there.claim(key);
    EXPECT_TRUE(there.merge(key, there.stage(key, "new")).ok());
  };
  merge(there.key(40, 1));
  merge(there.key(41, 2, "lines"));
  auto foreign = there.key(1, 3, "foreign");
  foreign.store = "T";
  merge(foreign);
  merge(there.key(44, 4, "lines"));
  merge(there.key(42, 5));
  const auto merged =
      std::string{there.dialect().name() == "sqlite" ? "pipekit_staging__merged" : "pipekit_staging.pipekit_merged"};
  const auto kept = "SELECT store, module, run FROM " + merged + " ORDER BY 1, 2, 3;\n";
  EXPECT_EQ(text_of(there.run(kept)), "S|lines|44\nS|orders|42\nT|foreign|1");
  there.claim(there.key(42, 6));
  EXPECT_EQ(text_of(there.run(kept)), "S|lines|44\nS|orders|42\nT|foreign|1");
  there.claim(there.key(43, 7));
  EXPECT_EQ(text_of(there.run(kept)), "S|lines|44\nT|foreign|1");
}

TEST_P(Fence, of_each_table_and_module_is_its_own) {
  auto elsewhere = there.key(42, 9);
  elsewhere.dest = "archive";
  there.claim(there.key(42, 7));
  there.claim(elsewhere);
  there.claim(there.key(42, 8, "Orders"));
  EXPECT_EQ(text_of(there.run(there.dialect().fence_script(there.key(42, 7)))), "S|7|0|NULL|NULL");
}

TEST_P(Fence, holds_for_names_with_quotes_and_backslashes) {
  auto key = there.key(42, 7, R"(it's \' "odd"; --)");
  key.store = R"(st'o\re)";
  EXPECT_EQ(text_of(there.claim(key)), R"(st'o\re|7|0|NULL|NULL)");
  EXPECT_TRUE(there.merge(key, there.stage(key, "new")).ok());
  EXPECT_EQ(there.rows(), merged_);
  EXPECT_EQ(text_of(there.close(key)), R"(st'o\re|7|1|7|3)");
}

TEST_P(Fence, that_is_not_there_is_told_from_other_errors) {
  auto bare = make();
  const auto key = there.key(42, 7);
  const auto missing = bare->run(bare->dialect().fence_script(key));
  EXPECT_TRUE(bare->dialect().is_missing_fence(missing.error)) << missing.error;
  there.claim(key);
  const auto plan = there.stage(key, "new");
  there.must(there.dialect().drop_staging_script(std::vector{plan.staging}));
  const auto lost = there.merge(key, plan);
  EXPECT_FALSE(lost.ok());
  EXPECT_FALSE(there.dialect().is_missing_fence(lost.error)) << lost.error;
  EXPECT_FALSE(there.dialect().is_retryable(lost.error)) << lost.error;
}

}  // namespace
}  // namespace pipekit::test
