#include "broker/verdict.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using testing::HasSubstr;
using How = AttemptEnd::How;

// "retry worker_lost", "final error outcome_unknown": the decision and its code.
std::string told(const Verdict& verdict) {
  struct Tell {
    std::string operator()(const verdict::Final& v) const { return fmt::format("final {} {}", v.status, v.error_code); }
    std::string operator()(const verdict::Again&) const { return "again"; }
    std::string operator()(const verdict::Retry& v) const { return "retry " + v.error_code; }
    std::string operator()(const verdict::Reconcile& v) const { return "ask " + v.error_code; }
  };
  return std::visit(Tell{}, verdict);
}

AttemptEnd not_begun() { return {How::not_begun, "", "", true, "", "", "w1"}; }
AttemptEnd lost() { return {How::lost, "", "", true, "", "", "w1"}; }
AttemptEnd said(const std::string& status, const std::string& outcome, bool retryable = true) {
  const bool failed = status == "error" || outcome == "unknown";
  return {How::told, status, outcome, retryable, failed ? "e" : "", failed ? "it went wrong" : "", "w1"};
}

RunAtEnd run(int64_t retries = 0) {
  RunAtEnd state;
  state.retries = retries;
  return state;
}
RunAtEnd merging(RunAtEnd state) {
  state.was_merging = true;
  return state;
}
RunAtEnd open(RunAtEnd state) {
  state.outcome_open = true;
  state.attempts = 2;
  return state;
}
RunAtEnd cancelled(RunAtEnd state) {
  state.cancel_requested = true;
  return state;
}
RunAtEnd unfenced(RunAtEnd state) {
  state.fenced = false;
  return state;
}
RunAtEnd appending(RunAtEnd state) {
  state.append = true;
  return state;
}
RunAtEnd asking(RunAtEnd state) {
  state.reconcile = true;
  state.pending_code = "pending";
  state.pending_error = "what it was";
  return state;
}

struct Case {
  const char* name;
  AttemptEnd end;
  RunAtEnd run;
  const char* expected;
};

class Judge : public testing::TestWithParam<Case> {};

TEST_P(Judge, decides_what_becomes_of_the_run) {
  EXPECT_EQ(told(judge(GetParam().end, GetParam().run)), GetParam().expected);
}

std::string name_of(const testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(
    NotBegun, Judge,
    testing::Values(Case{"goes_again_without_using_a_retry", not_begun(), run(), "again"},
                    Case{"goes_again_with_retries", not_begun(), run(3), "again"},
                    Case{"cancelled_meanwhile", not_begun(), cancelled(run(3)), "final cancelled "},
                    Case{"cancelled_after_an_open_outcome", not_begun(), cancelled(open(run(3))), "ask "},
                    Case{"cancelled_after_an_open_outcome_without_fence", not_begun(),
                         unfenced(cancelled(open(run(3)))), "final error outcome_unknown"},
                    Case{"after_an_open_outcome", not_begun(), open(run(3)), "again"},
                    Case{"a_question_is_asked_again", not_begun(), asking(run()), "ask pending"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    LostBeforeMerging, Judge,
    testing::Values(Case{"without_retries", lost(), run(), "final error worker_lost"},
                    Case{"with_a_retry", lost(), run(1), "retry worker_lost"},
                    Case{"without_fence_too", lost(), unfenced(appending(run(1))), "retry worker_lost"},
                    Case{"cancelled", lost(), cancelled(run(1)), "final cancelled unconfirmed"},
                    Case{"after_an_open_outcome_without_retries", lost(), open(run(1)), "ask worker_lost"},
                    Case{"after_an_open_outcome_with_one", lost(), open(run(2)), "retry worker_lost"},
                    Case{"after_an_open_outcome_cancelled", lost(), cancelled(open(run(2))), "ask worker_lost"},
                    Case{"after_an_open_outcome_without_fence", lost(), unfenced(open(run(1))),
                         "final error outcome_unknown"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    LostWhileMerging, Judge,
    testing::Values(
        Case{"without_retries_the_destination_is_asked", lost(), merging(run()), "ask worker_lost"},
        Case{"with_a_retry_its_claim_asks", lost(), merging(run(1)), "retry worker_lost"},
        Case{"cancelled", lost(), cancelled(merging(run(1))), "ask worker_lost"},
        Case{"append_with_a_fence", lost(), appending(merging(run(1))), "retry worker_lost"},
        Case{"append_without_fence_is_never_retried", lost(), appending(unfenced(merging(run(5)))),
             "final error outcome_unknown"},
        Case{"full_without_fence_may_be_retried", lost(), unfenced(merging(run(1))), "retry worker_lost"},
        Case{"full_without_fence_and_retries", lost(), unfenced(merging(run())), "final error outcome_unknown"},
        Case{"cancelled_without_fence", lost(), cancelled(unfenced(merging(run(1)))), "final error outcome_unknown"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    LastWord, Judge,
    testing::Values(Case{"success", said("success", "merged"), run(), "final success "},
                    Case{"success_although_cancelled", said("success", "merged"), cancelled(run()), "final success "},
                    Case{"success_after_an_open_outcome", said("success", "merged"), open(run()), "final success "},
                    Case{"dry_run", said("dry_run", "none"), run(), "final dry_run "},
                    Case{"error_without_retries", said("error", "none"), run(), "final error e"},
                    Case{"error_with_a_retry", said("error", "not_merged"), run(1), "retry e"},
                    Case{"error_not_worth_a_retry", said("error", "none", false), run(5), "final error e"},
                    Case{"error_of_a_cancelled_run", said("error", "none"), cancelled(run(5)), "final cancelled e"},
                    Case{"cancelled", said("cancelled", "none"), cancelled(run(5)), "final cancelled "},
                    Case{"unknown_is_asked_for", said("error", "unknown"), run(), "ask e"},
                    Case{"unknown_is_asked_for_by_the_retry", said("error", "unknown"), run(1), "retry e"},
                    Case{"unknown_not_worth_a_retry", said("error", "unknown", false), run(1), "ask e"},
                    Case{"unknown_of_a_cancelled_run", said("cancelled", "unknown"), cancelled(run(1)), "ask e"},
                    Case{"unknown_append_without_fence", said("error", "unknown"), appending(unfenced(run(1))),
                         "final error outcome_unknown"},
                    // A retry that failed before it could claim knows nothing about the earlier merge.
                    Case{"after_an_open_outcome_without_retries", said("error", "none"), open(run(1)), "ask e"},
                    Case{"after_an_open_outcome_with_one", said("error", "none"), open(run(2)), "retry e"},
                    Case{"after_an_open_outcome_not_worth_a_retry", said("error", "none", false), open(run(5)),
                         "ask e"},
                    Case{"after_an_open_outcome_cancelled", said("cancelled", "none"), cancelled(open(run(5))), "ask "},
                    Case{"whose_claim_has_asked", said("error", "not_merged"), open(run(1)), "final error e"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Question, Judge,
    testing::Values(Case{"it_had_merged", said("success", "merged"), asking(run()), "final success "},
                    Case{"it_had_not", said("error", "not_merged"), asking(run()), "final error pending"},
                    Case{"it_had_not_and_was_cancelled", said("error", "not_merged"), asking(cancelled(run())),
                         "final cancelled pending"},
                    Case{"it_had_merged_although_cancelled", said("success", "merged"), asking(cancelled(run())),
                         "final success "},
                    Case{"nobody_answered", said("error", "unknown"), asking(run()), "ask pending"},
                    Case{"the_asker_was_lost", lost(), asking(run()), "ask pending"},
                    Case{"retries_do_not_count", lost(), asking(run(9)), "ask pending"}),
    name_of);

TEST(Verdict, says_what_to_do_about_an_unknown_outcome) {
  const auto verdict = judge(lost(), unfenced(merging(run())));
  EXPECT_THAT(std::get<verdict::Final>(verdict).error, HasSubstr("worker w1 was lost while it merged"));
  EXPECT_THAT(std::get<verdict::Final>(verdict).error, HasSubstr("compare the destination"));
}

TEST(Verdict, uses_each_retry_once) {
  auto state = run(2);
  EXPECT_EQ(told(judge(lost(), state)), "retry worker_lost");
  state.attempts = 2;
  EXPECT_EQ(told(judge(lost(), state)), "retry worker_lost");
  state.attempts = 3;
  EXPECT_EQ(told(judge(lost(), state)), "final error worker_lost");
}

}  // namespace
}  // namespace pipekit
