// Workers, and brokers, that join, leave, become silent and come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/dialogue.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"  // omitted fields keep their defaults

namespace pipekit {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

class Lease : public testing::Test, protected test::Dialogue {
 protected:
  Lease() : Dialogue(test::document_of({{{"name", "orders"}}, {{"name", "patient"}, {"retries", 1}}})) {}
  // A run of `module` that w1 has started.
  RunKey begun(const char* module = "orders") {
    run(module);
    const auto key = w1.take();
    w1.begin(key);
    w1.heard();
    return key;
  }
  test::FakeWorker w1{*this, "w1", "i1", "s1"};
};

TEST_F(Lease, ends_only_after_the_socket_was_read_empty_past_it) {
  w1.join();
  const auto key = begun();
  pass(seconds{60});
  turn({}, false);
  EXPECT_EQ(status(key.run), "running") << "its heartbeat may wait to be read";
  TurnInput early;
  early.drained_since = now - Millis{1};
  turn(std::move(early), false);
  EXPECT_EQ(status(key.run), "running") << "read empty before the lease ended";
  turn();
  EXPECT_EQ(end_of(key.run), "error worker_lost");
  EXPECT_EQ(count("SELECT count(*) FROM worker WHERE state = 'lost'"), 1);
  EXPECT_EQ(events().back(), "worker.lost");
}

TEST_F(Lease, is_renewed_by_each_heartbeat_that_lists_the_attempt) {
  w1.join();
  const auto key = begun();
  for (int i = 0; i < 10; ++i) {
    wait(seconds{59});
    w1.beat();
  }
  EXPECT_EQ(status(key.run), "running");
  wait(seconds{60});
  EXPECT_EQ(status(key.run), "error");
}

TEST_F(Lease, is_renewed_by_a_heartbeat_read_in_the_turn_in_which_it_would_end) {
  w1.join();
  const auto key = begun();
  pass(seconds{61});
  w1.beat();
  EXPECT_EQ(status(key.run), "running");
}

TEST_F(Lease, tells_the_loop_when_to_look) {
  w1.join();
  begun();
  EXPECT_EQ(turn().wake, now + kLease);
}

TEST_F(Lease, is_fresh_after_the_broker_itself_stood_still) {
  w1.join();
  const auto key = begun();
  pass(seconds{3600});
  TurnInput input;
  input.stall = seconds{3600};
  turn(std::move(input));
  EXPECT_EQ(status(key.run), "running");
  wait(seconds{59});
  EXPECT_EQ(status(key.run), "running");
  wait(seconds{1});
  EXPECT_EQ(status(key.run), "error");
}

TEST_F(Lease, and_a_question_are_not_ended_by_what_the_broker_itself_stood_still) {
  w1.join();
  replies.clear();
  ask("connection.test", {{"name", "erp"}});
  ASSERT_THAT(w1.heard(), testing::Contains("task test"));
  pass(seconds{3600});
  TurnInput input;
  input.stall = seconds{3600};
  turn(std::move(input));
  EXPECT_TRUE(replies.empty());
  w1.say(TaskResult{w1.task, std::nullopt, Json{{"ok", true}}});
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_FALSE(replies[0].error);
}

TEST_F(Lease, is_kept_while_another_process_has_the_store) {
  w1.join();
  const auto key = begun();
  store::Database stranger(db->file(), store::Database::Mode::read_write);
  stranger.execute_script("BEGIN IMMEDIATE");
  EXPECT_FALSE(broker->begin());
  EXPECT_THROW(turn(), store::Locked);
  stranger.execute_script("ROLLBACK");
  EXPECT_TRUE(broker->begin());
  w1.finish(key, "success", "merged");
  EXPECT_EQ(end_of(key.run), "success");
}

TEST_F(Lease, of_an_attempt_the_worker_does_not_know_is_given_up_at_once) {
  w1.join();
  const auto run_id = run("orders");
  w1.last_assignment = w1.assignment().key.epoch;  // received, but not started: a lost refusal
  w1.heard();
  w1.beat();
  EXPECT_THAT(w1.heard(), ElementsAre("assign 1/2")) << "again, under a new number";
  EXPECT_EQ(count("SELECT attempts FROM run_log"), 1) << "no retry was used";
  w1.finish(w1.take(), "error", "none", "x");
  EXPECT_EQ(end_of(run_id), "error x");
}

TEST_F(Lease, of_one_that_was_begun_and_is_not_listed_is_a_loss) {
  w1.join();
  const auto key = begun("patient");
  w1.listed.clear();
  w1.beat();
  EXPECT_EQ(status(key.run), "queued");
  EXPECT_EQ(count("SELECT attempts FROM run_log"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM attempt WHERE state = 'lost'"), 1);
  EXPECT_EQ(count("SELECT count(*) FROM leftover"), 1);
}

TEST_F(Lease, of_an_assignment_that_did_not_arrive_begins_anew_when_it_is_sent_again) {
  w1.join();
  const auto run_id = run("orders");
  EXPECT_THAT(w1.heard(), ElementsAre("welcome", "assign 1/1"));
  for (int i = 0; i < 8; ++i) {
    pass(seconds{10});
    w1.beat();
    EXPECT_THAT(w1.heard(), ElementsAre("assign 1/1")) << "above the last the worker has received";
    EXPECT_EQ(w1.assignment().heartbeat, i + 2) << "by which the worker counts";
  }
  EXPECT_EQ(status(run_id), "running") << "it was never lost: each sending leased it again";
  const auto key = w1.take();
  wait(seconds{59});  // the lease as the worker now believes
  EXPECT_EQ(status(run_id), "running");
  w1.finish(key, "success", "merged");
  EXPECT_EQ(end_of(run_id), "success");
}

TEST_F(Lease, that_has_half_ended_is_no_longer_given_runs) {
  w1.join();
  pass(seconds{30});
  const auto run_id = run("orders");
  EXPECT_EQ(status(run_id), "queued");
  w1.beat();
  EXPECT_EQ(status(run_id), "running");
}

TEST_F(Lease, given_up_is_answered_with_a_kill_when_it_is_listed) {
  w1.join();
  const auto key = begun();
  wait(seconds{60});
  w1.heard();
  w1.beat();
  EXPECT_THAT(w1.heard(), ElementsAre("hello wanted"));
  w1.join();
  EXPECT_THAT(w1.heard(), ElementsAre("welcome", "kill 1/1", "kill 1/1")) << "hello and heartbeat list it";
  w1.finish(key, "error", "none", "lease_ended");
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #2")) << "or the worker would keep it for ever";
  EXPECT_EQ(end_of(key.run), "error worker_lost");
}

TEST_F(Lease, belongs_to_the_worker_that_has_it) {
  w1.join();
  const auto key = begun();
  test::FakeWorker w2(*this, "w2");
  w2.listed.push_back(key);
  w2.join();
  EXPECT_THAT(w2.heard(), ElementsAre("welcome", "kill 1/1", "kill 1/1"));
  w2.tell(key, 2, fact::Progress{0, 1});
  EXPECT_EQ(count("SELECT fact_seq FROM attempt"), 1);
  w2.tell({key.run, Epoch{99}}, 1, fact::Started{});
  EXPECT_THAT(w2.heard(), ElementsAre("ack 1/99 #1")) << "of a store that was put back";
}

// --- names and incarnations

TEST_F(Lease, of_a_killed_worker_ends_at_once_when_its_successor_holds_the_state_directory) {
  w1.join();
  const auto key = begun("patient");
  test::FakeWorker next(*this, "w1", "i2", "s1");
  next.hello();
  EXPECT_THAT(next.heard(), ElementsAre("welcome"));
  EXPECT_EQ(status(key.run), "queued");
  wait(seconds{30});  // the backoff
  next.beat();
  EXPECT_THAT(next.heard(), ElementsAre("assign 1/2"));
  EXPECT_THAT(next.assignment().earlier, ElementsAre(Epoch{1}));
  EXPECT_THAT(next.assignment().leftovers, ElementsAre(key));
  w1.beat();
  EXPECT_EQ(w1.heard().back(), "hello wanted") << "the old socket is a stranger's";
}

TEST_F(Lease, keeps_the_name_for_an_incarnation_that_may_be_alive) {
  w1.join();
  const auto key = begun();
  test::FakeWorker other(*this, "w1", "i2", "s2");
  other.hello();
  EXPECT_THAT(other.heard(), ElementsAre("refused name_in_use"));
  other.beat();
  EXPECT_THAT(other.heard(), ElementsAre("hello wanted"));
  EXPECT_EQ(status(key.run), "running");
  wait(seconds{60});
  other.hello();
  EXPECT_THAT(other.heard(), ElementsAre("welcome"));
  EXPECT_EQ(end_of(key.run), "error worker_lost");
}

TEST_F(Lease, stands_when_its_worker_comes_back_on_a_new_socket) {
  w1.join();
  const auto key = begun();
  pass(seconds{50});
  w1.join();
  EXPECT_THAT(w1.heard(), ElementsAre("welcome"));
  wait(seconds{59});
  EXPECT_EQ(status(key.run), "running");
  w1.finish(key, "success", "merged");
  EXPECT_EQ(end_of(key.run), "success");
}

TEST_F(Lease, ends_a_question_of_a_client_with_its_worker) {
  w1.join();
  EXPECT_EQ(ask("connection.test", {{"name", "wh"}}).number, 0) << "not answered yet";
  EXPECT_THAT(w1.heard(), ElementsAre("welcome", "task test"));
  test::FakeWorker next(*this, "w1", "i2", "s1");
  replies.clear();
  next.hello();
  ASSERT_EQ(replies.size(), 1U) << "the client need not wait for what nobody is doing";
  EXPECT_EQ(replies[0].error->code, "unavailable");
}

TEST_F(Lease, ends_with_a_goodbye_and_what_had_not_arrived_was_not_begun) {
  w1.join();
  const auto run_id = run("orders");
  w1.say(Goodbye{});  // sent before the assignment arrived
  EXPECT_EQ(status(run_id), "queued");
  EXPECT_EQ(count("SELECT attempts FROM run_log"), 0) << "it does not count";
  EXPECT_EQ(count("SELECT count(*) FROM worker WHERE state = 'left'"), 1);
  EXPECT_EQ(events().back(), "worker.left");
  test::FakeWorker w2(*this, "w2");
  w2.join();
  EXPECT_EQ(status(run_id), "running");
  w1.join();
  EXPECT_EQ(w1.heard().back(), "welcome");
}

TEST_F(Lease, of_a_draining_worker_goes_on_and_no_other_begins) {
  w1.join();
  const auto key = begun();
  w1.draining = true;
  w1.beat();
  const auto waiting = run("patient");
  EXPECT_EQ(status(waiting), "queued");
  EXPECT_EQ(done("why", {{"run_id", waiting.value}})["reasons"][0]["text"],
            "run 2 is queued: no worker accepts runs now: w1 is draining");
  w1.finish(key, "success", "merged");
  EXPECT_EQ(end_of(key.run), "success");
  EXPECT_EQ(status(waiting), "queued");
}

TEST_F(Lease, refused_by_the_worker_is_queued_again) {
  w1.join();
  const auto run_id = run("orders");
  const auto key = w1.assignment().key;
  w1.last_assignment = key.epoch;
  w1.heard();
  w1.tell(key, fact::Refused{{"refused", "draining", ""}});
  EXPECT_EQ(w1.heard().front(), "assign 1/2");
  EXPECT_EQ(count("SELECT attempts FROM run_log"), 1);
  EXPECT_EQ(status(run_id), "running");
}

// --- restarts of the broker

TEST_F(Lease, is_fresh_after_a_restart_of_the_broker) {
  w1.join();
  const auto key = begun();
  pass(seconds{3600});
  restart();
  wait(seconds{59});
  EXPECT_EQ(status(key.run), "running");
  w1.beat();
  EXPECT_THAT(w1.heard(), IsEmpty()) << "an unknown socket";
  w1.join();
  EXPECT_THAT(w1.heard(), ElementsAre("welcome"));
  w1.tell(key, 1, fact::Started{});
  w1.tell(key, 2, fact::Progress{0, 1});
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #1", "ack 1/1 #2")) << "what was durable is not applied again";
  w1.tell(key, 3, fact::Finished{.at = 0, .status = "success", .outcome = "merged"});
  EXPECT_EQ(end_of(key.run), "success");
}

TEST_F(Lease, ends_after_a_restart_when_the_worker_does_not_come_back) {
  w1.join();
  const auto key = begun();
  restart();
  EXPECT_EQ(turn().wake, now + kLease);
  wait(seconds{60});
  EXPECT_EQ(end_of(key.run), "error worker_lost");
  EXPECT_EQ(events().back(), "worker.lost");
}

TEST_F(Lease, keeps_a_name_over_a_restart) {
  w1.join();
  restart();
  test::FakeWorker other(*this, "w1", "i2", "s2");
  other.hello();
  EXPECT_THAT(other.heard(), ElementsAre("refused name_in_use"));
  test::FakeWorker successor(*this, "w1", "i3", "s1");
  successor.hello();
  EXPECT_THAT(successor.heard(), ElementsAre("welcome"));
}

TEST_F(Lease, of_an_assignment_lost_with_the_broker_is_sent_again) {
  w1.join();
  const auto run_id = run("orders");
  restart();
  w1.join();
  EXPECT_EQ(w1.heard().back(), "assign 1/1");
  w1.finish(w1.take(), "success", "merged");
  EXPECT_EQ(end_of(run_id), "success");
}

}  // namespace
}  // namespace pipekit
