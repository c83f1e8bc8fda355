#include "broker/tasks.h"

#include <gtest/gtest.h>

namespace pipekit {
namespace {

MonoTime at(int64_t s) { return MonoTime{std::chrono::seconds{s}}; }

Request asked(const std::string& client, int64_t number) {
  Request request;
  request.client = client;
  request.number = number;
  return request;
}

TEST(Tasks, give_the_answer_to_who_asked) {
  Tasks tasks(100);
  const auto a = tasks.begin(asked("c1", 1), "p1", "w1", {}, at(0));
  const auto b = tasks.begin(asked("c2", 1), "p2", "w1", {}, at(0));
  EXPECT_EQ(a, 101);
  EXPECT_EQ(b, 102);
  EXPECT_EQ(tasks.end(b)->peer, "p2");
  EXPECT_FALSE(tasks.end(b)) << "once";
  EXPECT_FALSE(tasks.end(7)) << "of a broker before";
  EXPECT_EQ(tasks.end(a)->number, 1);
}

TEST(Tasks, do_not_ask_twice_for_a_request_that_comes_again) {
  Tasks tasks(0);
  const auto id = tasks.begin(asked("c1", 1), "p1", "w1", {}, at(0));
  EXPECT_TRUE(tasks.asked_again(asked("c1", 1), "p1 anew"));
  EXPECT_FALSE(tasks.asked_again(asked("c1", 2), "p1 anew"));
  const auto asker = tasks.end(id);
  EXPECT_EQ(asker->peer, "p1 anew");
  EXPECT_EQ(asker->worker, "w1");
}

TEST(Tasks, end_when_their_worker_is_gone_or_too_slow) {
  Tasks tasks(0);
  EXPECT_EQ(tasks.next_deadline(), std::nullopt);
  tasks.begin(asked("c1", 1), "p1", "w1", {}, at(0));
  tasks.begin(asked("c1", 2), "p1", "w2", {}, at(10));
  tasks.begin(asked("c1", 3), "p1", "w1", {}, at(20));
  EXPECT_EQ(tasks.next_deadline(), at(120));
  EXPECT_TRUE(tasks.overdue(at(119)).empty());
  EXPECT_EQ(tasks.overdue(at(120)).at(0).number, 1);
  EXPECT_EQ(tasks.worker_gone("w1").at(0).number, 3);
  EXPECT_EQ(tasks.next_deadline(), at(130));
  EXPECT_EQ(tasks.worker_gone("w1").size(), 0U);
}

TEST(Tasks, take_sessions_until_they_end_or_are_dropped) {
  Tasks tasks(0);
  const auto one = tasks.begin(asked("c1", 1), "p1", "w1", {{"erp", 2}, {"wh", 0}}, at(0));
  tasks.begin(asked("c1", 2), "p1", "w1", {{"erp", 2}}, at(0));
  EXPECT_EQ(tasks.sessions(), (std::map<std::string, int64_t>{{"erp", 2}, {"wh", 1}}));
  tasks.end(one);
  EXPECT_EQ(tasks.drop("c2", 2), std::nullopt) << "of another client";
  const auto dropped = tasks.drop("c1", 2);
  ASSERT_TRUE(dropped);
  EXPECT_EQ(dropped->worker, "w1");
  EXPECT_FALSE(tasks.end(dropped->id)) << "its answer goes nowhere";
  EXPECT_TRUE(tasks.sessions().empty());
}

}  // namespace
}  // namespace pipekit
