#include "broker/requests_under_way.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using testing::ElementsAre;

MonoTime at(int64_t ms) { return MonoTime{Millis{ms}}; }

class UnderWay : public testing::Test {
 protected:
  static RequestIdentity identity(int64_t number, const std::string& owner = "owner",
                                  const std::string& verb = "diff") {
    return {owner, "client", number, verb};
  }
  int64_t begin(int64_t number, const std::string& peer = "p1", size_t bytes = 10, const std::string& who = "who") {
    return requests.begin({identity(number), peer, who, "", "", bytes, {}}, at(0));
  }
  RequestsUnderWay requests;
};

TEST_F(UnderWay, answer_the_connection_that_asked_last) {
  const auto id = begin(1);
  EXPECT_TRUE(requests.asked_again(identity(1), "p2"));
  EXPECT_EQ(requests.end(id)->peer, "p2");
  EXPECT_FALSE(requests.end(id)) << "once";
  EXPECT_FALSE(requests.asked_again(identity(1), "p3")) << "a new one";
}

TEST_F(UnderWay, are_the_same_only_for_the_same_owner_and_verb) {
  begin(1);
  EXPECT_FALSE(requests.asked_again(identity(1, "somebody else"), "evil"));
  EXPECT_FALSE(requests.asked_again(identity(1, "owner", "apply"), "p1"));
  EXPECT_FALSE(requests.asked_again(identity(2), "p1"));
}

TEST_F(UnderWay, end_with_their_connection) {
  const auto one = begin(1, "p1");
  const auto two = begin(2, "p2");
  const auto three = begin(3, "p1");
  EXPECT_THAT(requests.peer_gone("p1"), ElementsAre(one, three));
  EXPECT_EQ(requests.find(one), nullptr);
  EXPECT_NE(requests.find(two), nullptr);
  EXPECT_THAT(requests.peer_gone("p1"), ElementsAre());
}

TEST_F(UnderWay, of_one_client_are_bounded_by_number_and_by_bytes) {
  const auto large = begin(1, "p1", RequestsUnderWay::kMostBytesOfOne - 5);
  EXPECT_TRUE(requests.has_room_for("who", 5));
  EXPECT_FALSE(requests.has_room_for("who", 6));
  EXPECT_TRUE(requests.has_room_for("another", 6));
  requests.end(large);
  for (size_t i = 0; i < RequestsUnderWay::kMostOfOne; ++i) begin(static_cast<int64_t>(i) + 2);
  EXPECT_FALSE(requests.has_room_for("who", 0));
  EXPECT_TRUE(requests.has_room_for("another", 0));
}

TEST_F(UnderWay, of_all_clients_are_bounded) {
  size_t clients = 0;
  while (requests.has_room_for("who " + std::to_string(clients), 16UL << 20U)) {
    begin(static_cast<int64_t>(clients), "p", 16UL << 20U, "who " + std::to_string(clients));
    ++clients;
  }
  EXPECT_EQ(clients, RequestsUnderWay::kMostBytes >> 24U);
}

TEST_F(UnderWay, tell_a_client_that_waits_so_once_a_beat) {
  begin(7);
  EXPECT_EQ(requests.next_due(), at(1000));
  EXPECT_TRUE(requests.beats_due(at(999)).empty());
  const auto due = requests.beats_due(at(1000));
  ASSERT_EQ(due.size(), 1U);
  EXPECT_EQ(due.front().number, 7);
  EXPECT_TRUE(requests.beats_due(at(1001)).empty());
  EXPECT_EQ(requests.next_due(), at(2000));
}

}  // namespace
}  // namespace pipekit
