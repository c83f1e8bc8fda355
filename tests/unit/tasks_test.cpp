#include "broker/tasks.h"

#include <gtest/gtest.h>

namespace pipekit {
namespace {

MonoTime at(int64_t s) { return MonoTime{std::chrono::seconds{s}}; }

RequestIdentity asked(const std::string& client, int64_t number, const std::string& verb = "connection.test") {
  return {"owner", client, number, verb};
}

class OpenTasks : public testing::Test {
 protected:
  int64_t begin(const RequestIdentity& identity, const std::string& peer, const std::string& worker,
                Tasks::Uses uses = {}, MonoTime now = at(0)) {
    return tasks.begin({identity, peer, "who " + peer, worker, "i1", std::move(uses)}, now);
  }
  Tasks tasks{100};
};

TEST_F(OpenTasks, give_the_answer_to_who_asked) {
  const auto a = begin(asked("c1", 1), "p1", "w1");
  const auto b = begin(asked("c2", 1), "p2", "w1");
  EXPECT_EQ(a, 101);
  EXPECT_EQ(b, 102);
  EXPECT_EQ(tasks.end(b, "w1", "i1")->peer, "p2");
  EXPECT_FALSE(tasks.end(b, "w1", "i1")) << "once";
  EXPECT_FALSE(tasks.end(7, "w1", "i1")) << "of a broker before";
  EXPECT_EQ(tasks.end(a, "w1", "i1")->identity.number, 1);
}

TEST_F(OpenTasks, are_ended_by_no_other_worker_and_no_other_incarnation) {
  const auto id = begin(asked("c1", 1), "p1", "w1");
  EXPECT_FALSE(tasks.end(id, "w2", "i1"));
  EXPECT_FALSE(tasks.end(id, "w1", "i2"));
  EXPECT_TRUE(tasks.end(id, "w1", "i1")) << "still open";
}

TEST_F(OpenTasks, do_not_ask_twice_for_a_request_that_comes_again) {
  const auto id = begin(asked("c1", 1), "p1", "w1");
  EXPECT_TRUE(tasks.asked_again(asked("c1", 1), "p1 anew"));
  EXPECT_FALSE(tasks.asked_again(asked("c1", 2), "p1 anew"));
  EXPECT_FALSE(tasks.asked_again(asked("c1", 1, "module.preview"), "p1 anew")) << "another verb";
  EXPECT_FALSE(tasks.asked_again({"somebody else", "c1", 1, "connection.test"}, "evil")) << "another owner";
  const auto asker = tasks.end(id, "w1", "i1");
  EXPECT_EQ(asker->peer, "p1 anew");
  EXPECT_EQ(asker->worker, "w1");
}

TEST_F(OpenTasks, of_one_client_and_of_all_are_bounded) {
  for (int64_t i = 0; i < Tasks::kMostOfOne; ++i) {
    ASSERT_TRUE(tasks.has_room_for("who p1"));
    begin(asked("c1", i), "p1", "w1");
  }
  EXPECT_FALSE(tasks.has_room_for("who p1"));
  EXPECT_TRUE(tasks.has_room_for("who p2"));
  EXPECT_EQ(tasks.open_at("w1"), Tasks::kMostOfOne);
  for (size_t i = Tasks::kMostOfOne; i < Tasks::kMost; ++i) begin(asked("c", 1000), "p" + std::to_string(i), "w2");
  EXPECT_FALSE(tasks.has_room_for("nobody yet"));
}

TEST_F(OpenTasks, end_when_their_worker_is_gone_or_too_slow) {
  EXPECT_EQ(tasks.next_deadline(), std::nullopt);
  begin(asked("c1", 1), "p1", "w1");
  begin(asked("c1", 2), "p1", "w2", {}, at(10));
  begin(asked("c1", 3), "p1", "w1", {}, at(20));
  EXPECT_EQ(tasks.next_deadline(), at(120));
  EXPECT_TRUE(tasks.overdue(at(119)).empty());
  EXPECT_EQ(tasks.overdue(at(120)).at(0).identity.number, 1);
  EXPECT_EQ(tasks.worker_gone("w1").at(0).identity.number, 3);
  EXPECT_EQ(tasks.next_deadline(), at(130));
  EXPECT_EQ(tasks.worker_gone("w1").size(), 0U);
}

TEST_F(OpenTasks, take_sessions_until_they_end_or_are_dropped) {
  const auto one = begin(asked("c1", 1), "p1", "w1", {{"erp", 2}, {"wh", 0}});
  begin(asked("c1", 2), "p1", "w1", {{"erp", 2}});
  EXPECT_EQ(tasks.sessions(), (std::map<std::string, int64_t>{{"erp", 2}, {"wh", 1}}));
  tasks.end(one, "w1", "i1");
  EXPECT_EQ(tasks.drop("owner", "c2", 2), std::nullopt) << "of another client";
  EXPECT_EQ(tasks.drop("somebody else", "c1", 2), std::nullopt);
  const auto dropped = tasks.drop("owner", "c1", 2);
  ASSERT_TRUE(dropped);
  EXPECT_EQ(dropped->worker, "w1");
  EXPECT_FALSE(tasks.end(dropped->id, "w1", "i1")) << "its answer goes nowhere";
  EXPECT_TRUE(tasks.sessions().empty());
}

}  // namespace
}  // namespace pipekit
