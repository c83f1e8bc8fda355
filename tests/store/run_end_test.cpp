// How runs end: retries, cancels, unknown outcomes and late final facts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/dialogue.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"  // omitted fields keep their defaults

namespace pipekit {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RunEnd : public testing::Test, protected test::Dialogue {
 protected:
  RunEnd()
      : Dialogue(test::document_of(
            {{{"name", "once"}},
             {{"name", "twice"}, {"retries", 1}, {"retry_backoff_s", 10}},
             {{"name", "often"}, {"retries", 3}, {"retry_backoff_s", 10}},
             {{"name", "bare_append"}, {"retries", 3}, {"merge_strategy", "append"}, {"dest_connection", "bare"}}})) {
    w1.join();
    w1.heard();
  }
  RunKey begun(const char* module) {
    run(module);
    return take();
  }
  RunKey take() {
    const auto key = w1.take();
    w1.begin(key);
    w1.heard();
    return key;
  }
  // The worker's host is gone; a new worker joins immediately.
  void lose() {
    w1.listed.clear();
    w1.last_assignment = {};
    const auto old = w1.incarnation;
    w1 = test::FakeWorker(*this, "w1", old + "'", "");
    wait(kLease);
  }
  void back() {
    w1.heard();
    w1.join();
    EXPECT_EQ(w1.heard().front(), "welcome");
  }
  Json shown(RunId id) { return done("runs.show", {{"id", id.value}}); }
  test::FakeWorker w1{*this, "w1"};
};

// --- retries

TEST_F(RunEnd, waits_longer_before_each_retry) {
  auto key = begun("often");
  for (const int64_t backoff : {10, 20, 40}) {
    w1.finish(key, "error", "none", "x");
    EXPECT_EQ(status(key.run), "queued");
    EXPECT_THAT(done("why", {{"run_id", 1}})["reasons"][0]["text"].get<std::string>(),
                HasSubstr(", in " + std::to_string(backoff) + " s: x happened"));
    EXPECT_EQ(turn().wake, now + seconds{backoff});
    wait(seconds{backoff} - Millis{1});
    w1.beat();
    EXPECT_EQ(status(key.run), "queued");
    wait(Millis{1});
    EXPECT_EQ(status(key.run), "running");
    key = take();
  }
  EXPECT_THAT(w1.assignment().earlier, ElementsAre(Epoch{3}, Epoch{2}, Epoch{1}));
  w1.finish(key, "error", "none", "y");
  EXPECT_EQ(end_of(key.run), "error y");
  EXPECT_EQ(count("SELECT attempts FROM run_log"), 4);
  EXPECT_EQ(shown(key.run)["attempts"].size(), 4U);
}

TEST_F(RunEnd, keeps_its_backoff_over_a_restart) {
  const auto key = begun("twice");
  w1.finish(key, "error", "none", "x");
  pass(seconds{4});
  restart();
  EXPECT_EQ(turn().wake, now + seconds{6});
  back();
  EXPECT_EQ(status(key.run), "queued");
  wait(seconds{6});
  EXPECT_EQ(status(key.run), "running");
}

TEST_F(RunEnd, waits_no_longer_than_its_backoff_when_the_clock_was_put_back) {
  const auto key = begun("twice");
  w1.finish(key, "error", "none", "x");
  wall -= std::chrono::hours{24 * 365};
  restart();
  EXPECT_EQ(turn().wake, now + seconds{10});
  EXPECT_EQ(status(key.run), "queued");
}

TEST_F(RunEnd, is_not_retried_when_that_cannot_help) {
  const auto key = begun("often");
  fact::Finished finished;
  finished.status = "error";
  finished.outcome = "none";
  finished.retryable = false;
  finished.error = WireError{"null_keys", "NULL in the key", ""};
  w1.tell(key, finished);
  EXPECT_EQ(end_of(key.run), "error null_keys");
}

// --- cancel

TEST_F(RunEnd, is_cancelled_in_the_queue_at_once) {
  w1.draining = true;
  w1.beat();
  const auto id = run("once");
  EXPECT_EQ(done("cancel", {{"run_id", id.value}})["cancelled"], Json({id.value}));
  EXPECT_EQ(end_of(id), "cancelled");
  EXPECT_EQ(refused("cancel", {{"run_id", id.value}}), "invalid") << "it has ended";
  EXPECT_EQ(refused("cancel", {{"run_id", 99}}), "not_found");
  EXPECT_EQ(done("cancel", {{"module", "once"}})["cancelled"], Json::array());
}

TEST_F(RunEnd, is_cancelled_when_the_worker_has_confirmed_it) {
  const auto key = begun("often");
  done("cancel", {{"module", "often"}});
  EXPECT_THAT(w1.heard(), ElementsAre("cancel 1/1"));
  EXPECT_EQ(status(key.run), "running") << "its processes may be alive";
  w1.beat();
  EXPECT_THAT(w1.heard(), ElementsAre("cancel 1/1")) << "until it is confirmed";
  w1.finish(key, "cancelled");
  EXPECT_EQ(end_of(key.run), "cancelled");
}

TEST_F(RunEnd, is_cancelled_although_the_assignment_had_not_arrived) {
  const auto id = run("often");
  const auto key = w1.assignment().key;
  done("cancel", {{"run_id", id.value}});
  w1.heard();
  w1.last_assignment = key.epoch;
  w1.tell(key, fact::Refused{{"refused", "", ""}});
  EXPECT_EQ(end_of(id), "cancelled");
}

TEST_F(RunEnd, is_success_when_it_had_merged_before_the_cancel_came) {
  const auto key = begun("once");
  w1.merge(key);
  done("cancel", {{"run_id", 1}});
  w1.finish(key, "success", "merged");
  EXPECT_EQ(end_of(key.run), "success");
}

TEST_F(RunEnd, is_cancelled_unconfirmed_when_the_worker_is_lost) {
  const auto key = begun("often");
  done("cancel", {{"run_id", 1}});
  lose();
  EXPECT_EQ(end_of(key.run), "cancelled unconfirmed");
}

TEST_F(RunEnd, is_still_to_be_cancelled_after_a_restart) {
  const auto key = begun("often");
  done("cancel", {{"run_id", 1}});
  restart();
  w1.join();
  EXPECT_THAT(w1.heard(), testing::Contains("cancel 1/1"));
  w1.finish(key, "error", "none", "x");
  EXPECT_EQ(end_of(key.run), "cancelled x") << "no retry";
}

TEST_F(RunEnd, is_cancelled_between_two_attempts) {
  const auto key = begun("often");
  w1.finish(key, "error", "none", "x");
  done("cancel", {{"run_id", 1}});
  EXPECT_EQ(end_of(key.run), "cancelled");
}

TEST_F(RunEnd, is_not_called_cancelled_before_the_destination_was_asked_what_it_has) {
  const auto key = begun("often");
  w1.merge(key);
  lose();
  EXPECT_EQ(status(key.run), "queued") << "for a retry";
  restart();
  done("cancel", {{"run_id", 1}});
  EXPECT_EQ(status(key.run), "queued") << "the lost attempt may have merged";
  back();
  EXPECT_TRUE(w1.assignment().reconcile);
  w1.finish(take(), "success", "merged");
  EXPECT_EQ(end_of(key.run), "success");
}

// --- unknown outcomes

TEST_F(RunEnd, asks_the_destination_when_a_merge_was_lost_and_no_retry_is_left) {
  const auto key = begun("once");
  w1.merge(key);
  lose();
  EXPECT_EQ(status(key.run), "queued");
  back();
  EXPECT_TRUE(w1.assignment().reconcile);
  EXPECT_THAT(w1.assignment().earlier, ElementsAre(key.epoch));
  const auto question = take();
  w1.finish(question, "error", "not_merged", "not_merged");
  EXPECT_EQ(end_of(key.run), "error worker_lost") << "what it would have ended with";
  EXPECT_EQ(count("SELECT attempts FROM run_log"), 1) << "a question is no attempt";
  EXPECT_EQ(shown(key.run)["resolved_source_sql"], "") << "nor does it replace what the run log keeps";
}

TEST_F(RunEnd, is_success_when_the_lost_merge_was_committed) {
  const auto key = begun("once");
  w1.merge(key);
  lose();
  back();
  w1.finish(take(), "success", "merged");
  EXPECT_EQ(end_of(key.run), "success");
  EXPECT_EQ(count("SELECT row_count FROM run_log"), 42);
}

TEST_F(RunEnd, asks_again_until_its_time_is_over) {
  const auto key = begun("once");
  w1.merge(key);
  w1.finish(key, "error", "unknown", "outcome_unknown");
  EXPECT_TRUE(w1.assignment().reconcile);
  const auto asked = now;
  for (int i = 0; i < 12; ++i) {
    w1.finish(take(), "error", "unknown", "unreachable");
    EXPECT_EQ(status(key.run), "queued");
    wait(seconds{10});
    w1.beat();
  }
  EXPECT_EQ(now, asked + 2 * kLease);
  turn();
  EXPECT_EQ(end_of(key.run), "error outcome_unknown");
  const auto error = shown(key.run)["error"].get<std::string>();
  EXPECT_THAT(error, HasSubstr("outcome_unknown happened"));
  EXPECT_THAT(error, HasSubstr("compare it before running the module again"));
}

TEST_F(RunEnd, is_outcome_unknown_when_nobody_can_ask) {
  const auto key = begun("once");
  w1.merge(key);
  lose();
  EXPECT_EQ(turn().wake, now + 2 * kLease);
  wait(2 * kLease - Millis{1});
  EXPECT_EQ(status(key.run), "queued");
  wait(Millis{1});
  EXPECT_EQ(end_of(key.run), "error outcome_unknown");
}

TEST_F(RunEnd, has_its_time_to_ask_anew_after_a_restart) {
  const auto key = begun("once");
  w1.merge(key);
  lose();
  wait(2 * kLease - Millis{1});
  restart();
  wait(2 * kLease - Millis{1});
  EXPECT_EQ(status(key.run), "queued");
  wait(Millis{1});
  EXPECT_EQ(end_of(key.run), "error outcome_unknown");
}

TEST_F(RunEnd, never_retries_an_append_without_a_fence_that_may_have_merged) {
  const auto key = begun("bare_append");
  w1.merge(key);
  lose();
  EXPECT_EQ(end_of(key.run), "error outcome_unknown");
}

TEST_F(RunEnd, retries_a_merge_that_was_lost_because_the_claim_asks) {
  const auto key = begun("twice");
  w1.merge(key);
  lose();
  EXPECT_EQ(status(key.run), "queued");
  back();
  wait(seconds{10});
  EXPECT_FALSE(w1.assignment().reconcile);
  w1.finish(take(), "success", "merged");  // adopted
  EXPECT_EQ(end_of(key.run), "success");
}

TEST_F(RunEnd, does_not_forget_a_lost_merge_when_the_retry_could_not_ask) {
  const auto key = begun("twice");
  w1.merge(key);
  lose();
  back();
  wait(seconds{10});
  const auto retry = take();
  w1.finish(retry, "error", "none", "unreachable");  // its claim failed
  EXPECT_EQ(status(key.run), "running");
  EXPECT_TRUE(w1.assignment().reconcile) << "whether the first had merged nobody has asked yet";
  w1.finish(take(), "success", "merged");
  EXPECT_EQ(end_of(key.run), "success");
}

TEST_F(RunEnd, does_not_forget_a_lost_merge_when_the_retry_is_lost_too) {
  const auto key = begun("twice");
  w1.merge(key);
  lose();
  back();
  wait(seconds{10});
  take();
  lose();
  back();
  EXPECT_TRUE(w1.assignment().reconcile);
  w1.finish(take(), "error", "not_merged", "not_merged");
  EXPECT_EQ(end_of(key.run), "error worker_lost");
}

TEST_F(RunEnd, need_not_ask_when_the_retry_has) {
  const auto key = begun("twice");
  w1.merge(key);
  lose();
  back();
  wait(seconds{10});
  w1.finish(take(), "error", "not_merged", "transfer_failed");
  EXPECT_EQ(end_of(key.run), "error transfer_failed");
}

TEST_F(RunEnd, knows_a_store_that_was_put_back_by_its_fence) {
  const auto key = begun("once");
  fact::Finished finished;
  finished.status = "error";
  finished.outcome = "none";
  finished.error = WireError{"stale_epoch", "a newer attempt", ""};
  finished.fence_epoch = Epoch{700};
  finished.retryable = false;
  w1.tell(key, finished);
  EXPECT_EQ(end_of(key.run), "error store_put_back");
  EXPECT_THAT(shown(key.run)["error"].get<std::string>(), HasSubstr("at epoch 700, but this store has only reached 1"));
}

// --- final facts of attempts that were given up

class LateLastWord : public RunEnd {
 protected:
  // An attempt that was given up after its lease; its worker comes back and is still executing it.
  RunKey given_up(const char* module, bool merging = false) {
    const auto key = begun(module);
    if (merging) w1.merge(key);
    w1.heard();
    wait(kLease);
    w1.hello();
    EXPECT_THAT(w1.heard(), testing::Contains("kill 1/1"));
    return key;
  }
  std::string attempt_state(int64_t epoch) {
    return db->value<std::string>("SELECT state || ' ' || status FROM attempt WHERE id = ?", epoch).value_or("");
  }
};

TEST_F(LateLastWord, success_withdraws_the_retry) {
  const auto key = given_up("twice");
  EXPECT_EQ(status(key.run), "queued");
  w1.finish(key, "success", "merged");
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #2"));
  EXPECT_EQ(end_of(key.run), "success");
  EXPECT_EQ(count("SELECT row_count FROM run_log"), 42);
  EXPECT_EQ(attempt_state(1), "ended success");
  wait(seconds{100});
  w1.join();
  EXPECT_EQ(w1.assignments(), 1U) << "no second attempt";
  EXPECT_THAT(shown(key.run)["resolved_source_sql"], "SELECT of 1");
}

TEST_F(LateLastWord, failure_leaves_the_retry_as_it_is) {
  const auto key = given_up("twice");
  w1.finish(key, "error", "not_merged", "x");
  EXPECT_EQ(status(key.run), "queued");
  EXPECT_EQ(attempt_state(1), "ended error");
  wait(seconds{10});
  w1.beat();
  EXPECT_EQ(status(key.run), "running");
}

TEST_F(LateLastWord, is_only_kept_while_a_newer_attempt_lives) {
  const auto key = given_up("twice");
  wait(seconds{10});
  w1.beat();
  const auto newer = w1.take();
  EXPECT_EQ(newer.epoch, Epoch{2});
  w1.finish(key, "success", "merged");
  EXPECT_EQ(status(key.run), "running") << "the newer one adopts";
  EXPECT_EQ(attempt_state(1), "ended success");
  w1.finish(newer, "success", "merged");
  EXPECT_EQ(end_of(key.run), "success");
}

TEST_F(LateLastWord, is_only_kept_when_the_run_is_final_and_no_event_follows) {
  const auto key = given_up("once");
  EXPECT_EQ(end_of(key.run), "error worker_lost");
  const auto last = store::events::last_seq(*db);
  w1.finish(key, "success", "merged");
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #2"));
  EXPECT_EQ(end_of(key.run), "error worker_lost");
  EXPECT_EQ(attempt_state(1), "ended success");
  EXPECT_THAT(events(last), IsEmpty());
  w1.tell(key, 2, fact::Finished{.at = 0, .status = "error", .outcome = "none"});
  EXPECT_EQ(attempt_state(1), "ended success") << "again";
}

TEST_F(LateLastWord, settles_what_the_destination_would_have_been_asked) {
  const auto key = given_up("once", true);
  EXPECT_EQ(status(key.run), "queued") << "for a question";
  w1.finish(key, "error", "not_merged", "x");
  EXPECT_EQ(end_of(key.run), "error worker_lost");
}

TEST_F(LateLastWord, that_does_not_know_either_settles_nothing) {
  const auto key = given_up("once", true);
  w1.finish(key, "error", "unknown", "x");
  EXPECT_EQ(status(key.run), "queued");
  w1.beat();
  EXPECT_TRUE(w1.assignment().reconcile);
}

TEST_F(LateLastWord, of_a_question_does_not_replace_what_the_run_log_keeps) {
  const auto key = begun("once");
  w1.merge(key);
  w1.finish(key, "error", "unknown", "x");
  const auto question = take();
  wait(kLease);
  w1.hello();
  EXPECT_EQ(status(key.run), "queued");
  w1.finish(question, "success", "merged");
  EXPECT_EQ(end_of(key.run), "success");
  EXPECT_EQ(shown(key.run)["resolved_source_sql"], "SELECT of 1");
}

TEST_F(LateLastWord, does_not_settle_what_became_of_an_earlier_merge) {
  const auto key = given_up("twice", true);
  wait(seconds{100});
  w1.listed.clear();
  w1.join();
  const auto second = w1.take();
  w1.begin(second);
  pass(kLease / 2);
  done("cancel", {{"run_id", key.run.value}});
  wait(kLease);
  EXPECT_EQ(status(key.run), "queued") << "the question is to be asked whether the first has merged";
  w1.hello();
  w1.finish(second, "error", "none", "lease_ended");
  EXPECT_EQ(status(key.run), "queued");
  w1.beat();
  const auto question = w1.take();
  EXPECT_TRUE(w1.assignment().reconcile);
  w1.finish(question, "success", "merged");
  EXPECT_EQ(end_of(key.run), "success");
}

TEST_F(LateLastWord, facts_before_it_are_acknowledged_and_dropped) {
  const auto key = given_up("twice");
  const auto last = store::events::last_seq(*db);
  w1.tell(key, fact::Progress{0, 5});
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #2"));
  EXPECT_THAT(events(last), IsEmpty());
}

TEST_F(LateLastWord, is_all_that_an_attempt_waiting_to_merge_may_still_say) {
  const auto key = given_up("once");
  w1.merge(key);
  EXPECT_THAT(w1.heard(), IsEmpty()) << "acknowledged it would merge, and the run has ended as not merged";
  w1.finish(key, "error", "none", "lease_ended");
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #3"));
}

TEST_F(LateLastWord, may_follow_a_merging_that_was_durable_before) {
  const auto key = given_up("twice", true);
  w1.tell(key, 2, fact::Merging{});  // on a new socket everything is sent again
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #2"));
}

}  // namespace
}  // namespace pipekit
