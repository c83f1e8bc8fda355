#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/session.h"

namespace pipekit::worker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

MonoTime at(int64_t ms) { return MonoTime{Millis{ms}}; }
RunKey key(int64_t epoch) { return {RunId{epoch * 10}, Epoch{epoch}}; }

Assignment assignment(int64_t epoch, int64_t heartbeat) {
  Assignment message;
  message.key = key(epoch);
  message.heartbeat = heartbeat;
  return message;
}

std::string epochs(const std::vector<RunKey>& keys) {
  std::string text;
  for (const auto& k : keys) text += fmt::format(" {}", k.epoch.value);
  return text;
}

struct Tell {
  std::string operator()(const Hello& m) const {
    return fmt::format("hello{}{} last {}", m.draining ? " draining" : "", epochs(m.attempts), m.last_assignment.value);
  }
  std::string operator()(const Heartbeat& m) const {
    return fmt::format("beat {}{}{} last {}", m.number, m.draining ? " draining" : "", epochs(m.attempts),
                       m.last_assignment.value);
  }
  std::string operator()(const Fact& m) const {
    const auto* refused = std::get_if<fact::Refused>(&m.body);
    return fmt::format("fact {} of {}: {}", m.seq, m.key.epoch.value, refused ? refused->error.message : "?");
  }
  std::string operator()(const TaskResult&) const { return "result"; }
  std::string operator()(const Goodbye&) const { return "goodbye"; }
};

// What the loop would do, as words, in order.
std::vector<std::string> told(const Actions& actions) {
  std::vector<std::string> lines;
  if (actions.fatal) lines.push_back("fatal " + std::string(to_string(actions.fatal->code)));
  if (actions.replace_socket) lines.emplace_back("new socket");
  for (const auto& message : actions.send) lines.push_back(std::visit(Tell{}, message));
  if (actions.resend_facts) lines.emplace_back("resend");
  for (const auto k : actions.kill) lines.push_back(fmt::format("kill {}", k.epoch.value));
  for (const auto k : actions.cancel) lines.push_back(fmt::format("cancel {}", k.epoch.value));
  for (const auto& ack : actions.acknowledged) lines.push_back(fmt::format("acked {}", ack.seq));
  for (const auto& a : actions.start) lines.push_back(fmt::format("start {}", a.key.epoch.value));
  for (const auto& t : actions.tasks) lines.push_back(fmt::format("task {}", t.id));
  return lines;
}

// A lease of 60 s, heartbeats every 10 s, children killed 6 s before the lease ends.
class SessionTest : public testing::Test {
 protected:
  std::vector<std::string> hear(const BrokerToWorker& message, int64_t ms) {
    return told(session_.on_message(message, at(ms)));
  }
  std::vector<std::string> tick(int64_t ms) { return told(session_.tick(at(ms))); }
  // Welcomed at 0; heartbeat 1 sent at 0 and answered.
  void join() {
    session_.begin(at(0));
    hear(Welcome{60'000, 10'000, "1"}, 0);
    hear(HeartbeatAck{1}, 5);
  }
  [[nodiscard]] bool may_go_on(int64_t epoch, int64_t ms) const { return session_.may_go_on(key(epoch), at(ms)); }
  [[nodiscard]] MonoTime next() const { return session_.next_deadline(); }

  Session session_{Identity{"w1", "i1", "s1", "host", 4, {"t"}}};
};

TEST_F(SessionTest, says_hello_with_who_it_is) {
  const auto actions = session_.begin(at(0));
  ASSERT_EQ(actions.send.size(), 1U);
  const auto& hello = std::get<Hello>(actions.send[0]);
  EXPECT_EQ(hello.name + hello.incarnation + hello.state_id + hello.host, "w1i1s1host");
  EXPECT_EQ(hello.slots, 4);
  EXPECT_THAT(hello.tags, ElementsAre("t"));
  EXPECT_FALSE(actions.replace_socket);
  EXPECT_FALSE(session_.connected());
}

TEST_F(SessionTest, says_hello_on_a_new_socket_until_it_is_heard) {
  session_.begin(at(0));
  EXPECT_EQ(next(), at(3000));
  EXPECT_THAT(tick(2999), IsEmpty());
  EXPECT_THAT(tick(3000), ElementsAre("new socket", "hello last 0"));
  EXPECT_THAT(tick(3001), IsEmpty());
  EXPECT_THAT(tick(6000), ElementsAre("new socket", "hello last 0"));
}

TEST_F(SessionTest, beats_as_soon_as_it_is_welcome_and_sends_its_facts_again) {
  session_.begin(at(0));
  EXPECT_THAT(hear(Welcome{60'000, 10'000, "1"}, 100), ElementsAre("beat 1 last 0", "resend"));
  EXPECT_TRUE(session_.connected());
  EXPECT_EQ(next(), at(10'100));
}

TEST_F(SessionTest, numbers_its_beats_through_every_hello) {
  join();
  EXPECT_THAT(tick(9'999), IsEmpty());
  EXPECT_THAT(tick(10'000), ElementsAre("beat 2 last 0"));
  EXPECT_THAT(hear(HelloWanted{}, 10'500), ElementsAre("hello last 0"));
  EXPECT_THAT(hear(Welcome{60'000, 10'000, "1"}, 10'600), ElementsAre("beat 3 last 0", "resend"));
}

TEST_F(SessionTest, beats_at_once_when_its_connection_stands_again) {
  EXPECT_THAT(told(session_.reconnected(at(0))), IsEmpty()) << "nobody has welcomed it yet";
  join();
  EXPECT_THAT(told(session_.reconnected(at(500))), ElementsAre("beat 2 last 0"));
  EXPECT_EQ(next(), at(10'500));
}

TEST_F(SessionTest, takes_hello_wanted_once_while_a_hello_is_under_way) {
  join();
  EXPECT_THAT(hear(HelloWanted{}, 10), ElementsAre("hello last 0"));
  EXPECT_THAT(hear(HelloWanted{}, 11), IsEmpty());
}

TEST_F(SessionTest, counts_a_lease_from_when_the_answered_beat_was_sent) {
  join();
  EXPECT_THAT(hear(assignment(5, 1), 8'000), ElementsAre("start 5"));
  EXPECT_TRUE(may_go_on(5, 53'999));
  EXPECT_FALSE(may_go_on(5, 54'000)) << "6 s before the end of what was leased at 0";
  EXPECT_THAT(tick(10'000), ElementsAre("beat 2 5 last 5"));
  hear(HeartbeatAck{2}, 30'000);
  EXPECT_TRUE(may_go_on(5, 63'999));
  EXPECT_FALSE(may_go_on(5, 64'000)) << "sent at 10 s, whenever the answer came";
}

TEST_F(SessionTest, takes_no_answer_for_a_beat_that_did_not_list_the_attempt) {
  join();
  tick(10'000);  // heartbeat 2, sent before the assignment arrived
  hear(assignment(5, 1), 10'001);
  hear(HeartbeatAck{2}, 10'002);
  EXPECT_FALSE(may_go_on(5, 54'000));
  hear(HeartbeatAck{99}, 10'003);
  EXPECT_FALSE(may_go_on(5, 54'000)) << "never sent";
}

TEST_F(SessionTest, never_shortens_a_lease) {
  join();
  hear(assignment(5, 1), 0);
  tick(10'000);
  tick(20'000);
  hear(HeartbeatAck{3}, 20'100);
  hear(HeartbeatAck{2}, 20'200);
  EXPECT_TRUE(may_go_on(5, 73'999));
}

TEST_F(SessionTest, refuses_an_assignment_whose_lease_is_over) {
  join();
  EXPECT_THAT(hear(assignment(5, 1), 54'000), ElementsAre("fact 1 of 5: it arrived after its lease had ended"));
  EXPECT_TRUE(session_.idle());
  EXPECT_THAT(hear(assignment(6, 77), 54'000), ElementsAre("fact 1 of 6: it names a heartbeat that was not answered"));
  EXPECT_FALSE(may_go_on(6, 0));
}

TEST_F(SessionTest, drops_an_assignment_that_comes_twice_or_late) {
  join();
  EXPECT_THAT(hear(assignment(5, 1), 1), ElementsAre("start 5"));
  EXPECT_THAT(hear(assignment(5, 1), 2), IsEmpty());
  EXPECT_THAT(hear(assignment(4, 1), 3), IsEmpty());
  session_.over(key(5));
  EXPECT_THAT(hear(assignment(5, 1), 4), IsEmpty()) << "over, not new";
  EXPECT_THAT(tick(10'000), ElementsAre("beat 2 last 5"));
}

TEST_F(SessionTest, lists_an_attempt_until_it_is_over) {
  join();
  hear(assignment(5, 1), 0);
  hear(assignment(6, 1), 0);
  EXPECT_FALSE(session_.idle());
  EXPECT_THAT(tick(10'000), ElementsAre("beat 2 5 6 last 6"));
  EXPECT_THAT(hear(FactAck{key(5), 3}, 10'001), ElementsAre("acked 3"));
  session_.over(key(5));
  EXPECT_THAT(tick(20'000), ElementsAre("beat 3 6 last 6"));
  session_.over(key(6));
  EXPECT_TRUE(session_.idle());
}

TEST_F(SessionTest, replaces_the_socket_of_a_broker_that_says_nothing) {
  join();
  hear(assignment(5, 1), 0);
  EXPECT_THAT(tick(10'000), ElementsAre("beat 2 5 last 5"));
  EXPECT_THAT(tick(20'000), ElementsAre("beat 3 5 last 5"));
  EXPECT_THAT(tick(30'000), ElementsAre("new socket", "hello 5 last 5")) << "beat 2 was not answered for two intervals";
  EXPECT_TRUE(may_go_on(5, 30'000)) << "its transfer goes on meanwhile";
  EXPECT_THAT(hear(Welcome{60'000, 10'000, "1"}, 31'000), ElementsAre("beat 4 5 last 5", "resend"));
  hear(HeartbeatAck{4}, 31'000);
  EXPECT_TRUE(may_go_on(5, 84'000));
}

TEST_F(SessionTest, kills_at_the_end_of_the_lease_and_lists_until_the_last_word) {
  join();
  hear(assignment(5, 1), 0);
  for (const int64_t ms : {10'000, 20'000}) tick(ms);
  tick(30'000);
  int kills = 0;
  for (int64_t ms = 33'000; ms < 90'000; ms += 3'000) {
    for (const auto& line : tick(ms)) {
      if (line != "kill 5") continue;
      ++kills;
      EXPECT_EQ(ms, 54'000);
    }
  }
  EXPECT_EQ(kills, 1);
  EXPECT_FALSE(may_go_on(5, 54'000));
  EXPECT_THAT(hear(Welcome{60'000, 10'000, "1"}, 91'000), ElementsAre("beat 4 5 last 5", "resend"));
  hear(HeartbeatAck{4}, 91'000);
  EXPECT_FALSE(may_go_on(5, 91'001)) << "what is killed starts nothing more";
}

TEST_F(SessionTest, wakes_in_time_to_kill) {
  join();
  hear(assignment(5, 1), 0);
  session_.on_message(BrokerLeaving{}, at(52'000));
  EXPECT_EQ(next(), at(54'000)) << "before the next hello, at 55 s";
}

TEST_F(SessionTest, kills_and_cancels_only_what_it_has) {
  join();
  hear(assignment(5, 1), 0);
  EXPECT_THAT(hear(CancelAttempt{key(5)}, 1), ElementsAre("cancel 5"));
  EXPECT_THAT(hear(CancelAttempt{key(6)}, 1), IsEmpty());
  EXPECT_THAT(hear(KillAttempt{key(6)}, 1), IsEmpty());
  EXPECT_THAT(hear(KillAttempt{key(5)}, 1), ElementsAre("kill 5"));
  EXPECT_THAT(hear(KillAttempt{key(5)}, 2), IsEmpty()) << "once";
  EXPECT_FALSE(may_go_on(5, 2));
}

TEST_F(SessionTest, drains) {
  join();
  hear(assignment(5, 1), 0);
  EXPECT_THAT(told(session_.drain(at(100))), ElementsAre("beat 2 draining 5 last 5")) << "the broker knows at once";
  EXPECT_THAT(hear(assignment(6, 1), 101), ElementsAre("fact 1 of 6: the worker is draining"));
  EXPECT_THAT(hear(HelloWanted{}, 102), ElementsAre("hello draining 5 last 6"));
  session_.over(key(5));
  EXPECT_TRUE(session_.idle());
}

TEST_F(SessionTest, drains_before_anybody_has_welcomed_it) {
  session_.begin(at(0));
  EXPECT_THAT(told(session_.drain(at(1))), IsEmpty());
  EXPECT_THAT(tick(3000), ElementsAre("new socket", "hello draining last 0"));
}

TEST_F(SessionTest, waits_while_its_name_is_in_use) {
  session_.begin(at(0));
  EXPECT_THAT(hear(HelloRefused{{"name_in_use", "", ""}}, 100), IsEmpty());
  EXPECT_EQ(next(), at(10'100));
  EXPECT_THAT(tick(10'099), IsEmpty());
  EXPECT_THAT(tick(10'100), ElementsAre("new socket", "hello last 0"));
  EXPECT_FALSE(session_.connected());
}

TEST_F(SessionTest, gives_up_when_it_will_never_be_taken) {
  session_.begin(at(0));
  EXPECT_THAT(hear(HelloRefused{{"version_mismatch", "", ""}}, 1), ElementsAre("fatal version_mismatch"));
  EXPECT_THAT(hear(HelloRefused{{"refused", "", ""}}, 1), ElementsAre("fatal refused"));
  const auto actions = session_.on_message(HelloRefused{{"refused", "the key is not allowed", "add it"}}, at(2));
  EXPECT_EQ(actions.fatal->message, "the key is not allowed");
  EXPECT_EQ(actions.fatal->hint, "add it");
}

TEST_F(SessionTest, looks_for_the_next_broker_when_this_one_leaves) {
  join();
  hear(assignment(5, 1), 0);
  EXPECT_THAT(hear(BrokerLeaving{}, 1000), ElementsAre("new socket", "hello 5 last 5"));
  EXPECT_FALSE(session_.connected());
  EXPECT_TRUE(may_go_on(5, 53'999)) << "running transfers go on";
}

TEST_F(SessionTest, passes_tasks_on) {
  join();
  Task task;
  task.id = 9;
  EXPECT_THAT(hear(task, 1), ElementsAre("task 9"));
}

TEST_F(SessionTest, puts_up_with_a_lease_of_nothing) {
  session_.begin(at(0));
  hear(Welcome{0, 0, "1"}, 0);
  EXPECT_GT(next(), at(0)) << "it would spin";
}

}  // namespace
}  // namespace pipekit::worker
