#include "broker/read_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using testing::ElementsAre;

ReadJob question(const std::string& who, int64_t number, const std::string& peer = "p") {
  Request request;
  request.number = number;
  return {peer, request, {}, 0, who, number};
}

ReadJob tail(const std::string& who, int64_t number, const std::string& peer) {
  return {peer, TailRequest{number, 0, true, {}}, {}, 0, who};
}

class Waiting : public testing::Test {
 protected:
  bool add(ReadJob job) {
    if (!queue_.has_room_for(job)) return false;
    queue_.add(std::move(job));
    return true;
  }
  std::vector<std::string> order() {
    std::vector<std::string> list;
    while (const auto job = queue_.next()) {
      list.push_back(job->who + std::to_string(std::visit([](const auto& m) { return m.number; }, job->request)));
    }
    return list;
  }
  ReadQueue queue_;
};

TEST_F(Waiting, clients_are_served_in_turn) {
  for (int64_t i = 1; i <= 4; ++i) add(question("greedy", i));
  add(question("b", 1));
  add(question("b", 2));
  add(question("c", 1));
  EXPECT_THAT(order(), ElementsAre("greedy1", "b1", "c1", "greedy2", "b2", "greedy3", "greedy4"));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(Waiting, one_that_asks_too_much_is_refused_and_the_others_are_not) {
  for (size_t i = 0; i < ReadQueue::kMostOfOne; ++i) ASSERT_TRUE(add(question("greedy", 1)));
  EXPECT_FALSE(add(question("greedy", 2, "another connection")));
  EXPECT_TRUE(add(question("b", 1)));
  queue_.next();
  EXPECT_TRUE(add(question("greedy", 3)));
}

TEST_F(Waiting, all_together_are_bounded) {
  for (size_t i = 0; i < ReadQueue::kMost; ++i) ASSERT_TRUE(add(question("w" + std::to_string(i), 1)));
  EXPECT_FALSE(add(question("b", 1)));
}

TEST_F(Waiting, one_that_nobody_waits_for_is_dropped) {
  for (const int64_t i : {1, 2}) add(question("a", i));
  add(question("b", 3));
  queue_.drop(3);
  queue_.drop(1);
  queue_.drop(99);
  EXPECT_THAT(order(), ElementsAre("a2"));
  EXPECT_TRUE(queue_.empty());
}

TEST_F(Waiting, a_tail_replaces_the_one_before_it_of_its_connection) {
  add(tail("a", 1, "p1"));
  add(question("a", 2, "p1"));
  add(tail("a", 3, "p2"));
  add(tail("a", 4, "p1"));
  EXPECT_THAT(order(), ElementsAre("a4", "a2", "a3"));
}

}  // namespace
}  // namespace pipekit
