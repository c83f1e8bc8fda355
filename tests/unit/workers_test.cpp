#include "broker/workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Admission = Workers::Admission;
using std::chrono::seconds;

MonoTime at(int64_t s) { return MonoTime{seconds{s}}; }

Hello hello(const std::string& name, const std::string& incarnation, const std::string& state_id = "") {
  Hello hello;
  hello.name = name;
  hello.incarnation = incarnation;
  hello.state_id = state_id;
  hello.slots = 4;
  return hello;
}

class WorkersTest : public testing::Test {
 protected:
  Admission admit(const Hello& hello, const std::string& peer, int64_t s) {
    return workers_.admit(hello, {peer, {}, key}, at(s), from_ms(s * 1000));
  }
  void beat(const std::string& name, int64_t number, int64_t s, bool draining = false) {
    Heartbeat heartbeat;
    heartbeat.number = number;
    heartbeat.draining = draining;
    workers_.heard(*workers_.by_name(name), heartbeat, at(s));
  }
  [[nodiscard]] bool assignable(const std::string& name, int64_t s) {
    return workers_.assignable(*workers_.by_name(name), at(s));
  }
  Workers workers_{seconds{60}};
  std::string key;
};

TEST_F(WorkersTest, a_name_belongs_to_the_key_that_it_is_used_with) {
  key = "A";
  EXPECT_EQ(admit(hello("w1", "i1", "s"), "p1", 0), Admission::joined);
  for (const auto* other : {"B", ""}) {
    key = other;
    EXPECT_EQ(admit(hello("w1", "i1", "s"), "p2", 1), Admission::other_key);
    EXPECT_EQ(admit(hello("w1", "i2", "s"), "p2", 1), Admission::other_key);
  }
  EXPECT_EQ(workers_.by_name("w1")->peer, "p1");
  key = "A";
  EXPECT_EQ(admit(hello("w1", "i2", "s"), "p2", 1), Admission::replaced);
}

TEST_F(WorkersTest, one_that_is_cut_off_keeps_its_lease_and_gets_nothing) {
  admit(hello("w1", "i1"), "p1", 0);
  beat("w1", 1, 1);
  workers_.cut_off(*workers_.by_name("w1"));
  EXPECT_EQ(workers_.by_peer("p1"), nullptr);
  EXPECT_FALSE(assignable("w1", 2));
  EXPECT_EQ(workers_.next_deadline(), at(61));
}

TEST_F(WorkersTest, admits_a_new_name_and_knows_it_by_its_peer) {
  EXPECT_EQ(admit(hello("w1", "i1"), "p1", 0), Admission::joined);
  EXPECT_EQ(workers_.by_peer("p1")->name, "w1");
  EXPECT_EQ(workers_.by_peer("p2"), nullptr);
  EXPECT_EQ(workers_.by_name("w2"), nullptr);
  EXPECT_EQ(workers_.by_name("w1")->joined_at, from_ms(0));
}

TEST_F(WorkersTest, takes_the_same_incarnation_on_a_new_socket_for_the_same_worker) {
  admit(hello("w1", "i1"), "p1", 0);
  beat("w1", 7, 10);
  EXPECT_EQ(admit(hello("w1", "i1"), "p2", 20), Admission::reattached);
  EXPECT_EQ(workers_.by_peer("p1"), nullptr) << "what still comes from the old socket is a stranger's";
  EXPECT_EQ(workers_.by_peer("p2")->name, "w1");
  EXPECT_EQ(workers_.by_peer("p2")->joined_at, from_ms(0));
  EXPECT_FALSE(assignable("w1", 20)) << "nothing is assigned before a heartbeat on this socket";
}

TEST_F(WorkersTest, takes_a_hello_that_comes_twice_on_one_socket_for_one) {
  admit(hello("w1", "i1"), "p1", 0);
  EXPECT_EQ(admit(hello("w1", "i1"), "p1", 0), Admission::reattached);
  EXPECT_EQ(workers_.by_peer("p1")->name, "w1");
  EXPECT_EQ(workers_.all().size(), 1U);
}

TEST_F(WorkersTest, refuses_another_incarnation_while_the_first_may_be_alive) {
  admit(hello("w1", "i1", "s1"), "p1", 0);
  EXPECT_EQ(admit(hello("w1", "i2", "s2"), "p2", 59), Admission::name_in_use);
  EXPECT_EQ(workers_.by_peer("p1")->incarnation, "i1");
  EXPECT_EQ(workers_.by_peer("p2"), nullptr);
  EXPECT_THAT(workers_.overdue(at(60)), ElementsAre("w1")) << "a refused hello renews nothing";
}

TEST_F(WorkersTest, lets_who_holds_the_state_directory_replace_the_one_before) {
  admit(hello("w1", "i1", "s1"), "p1", 0);
  beat("w1", 7, 1);
  EXPECT_EQ(admit(hello("w1", "i2", "s1"), "p2", 2), Admission::replaced);
  EXPECT_EQ(workers_.by_name("w1")->incarnation, "i2");
  EXPECT_EQ(workers_.by_name("w1")->joined_at, from_ms(2000));
  EXPECT_FALSE(assignable("w1", 2)) << "the heartbeat was the old one's";
  EXPECT_EQ(workers_.by_peer("p1"), nullptr);
}

TEST_F(WorkersTest, does_not_let_one_that_was_replaced_replace_its_successor) {
  admit(hello("w1", "i1", "cloned"), "p1", 0);
  EXPECT_EQ(admit(hello("w1", "i2", "cloned"), "p2", 2), Admission::replaced);
  EXPECT_EQ(admit(hello("w1", "i1", "cloned"), "p3", 3), Admission::name_in_use);
  EXPECT_EQ(admit(hello("w1", "i2", "cloned"), "p4", 4), Admission::reattached);
  EXPECT_EQ(admit(hello("w1", "i1", "cloned"), "p5", 5), Admission::name_in_use);
  EXPECT_EQ(admit(hello("w1", "i3", "cloned"), "p6", 6), Admission::replaced) << "a restart is still one";
}

TEST_F(WorkersTest, takes_no_state_id_for_no_proof) {
  admit(hello("w1", "i1", ""), "p1", 0);
  EXPECT_EQ(admit(hello("w1", "i2", ""), "p2", 2), Admission::name_in_use);
}

TEST_F(WorkersTest, expects_those_of_the_store_for_one_lease) {
  Worker known;
  known.name = "w1";
  known.incarnation = "i1";
  known.peer = "of the broker before";
  workers_.expect(known, at(100));
  EXPECT_TRUE(workers_.by_name("w1")->peer.empty());
  EXPECT_FALSE(assignable("w1", 100));
  EXPECT_THAT(workers_.overdue(at(159)), IsEmpty());
  EXPECT_THAT(workers_.overdue(at(160)), ElementsAre("w1"));
  EXPECT_EQ(admit(hello("w1", "i2"), "p", 101), Admission::name_in_use);
  EXPECT_EQ(admit(hello("w1", "i1"), "p", 101), Admission::reattached);
  EXPECT_THAT(workers_.overdue(at(160)), IsEmpty());
}

TEST_F(WorkersTest, counts_a_lease_from_the_last_heartbeat) {
  admit(hello("w1", "i1"), "p1", 0);
  admit(hello("w2", "i1"), "p2", 5);
  EXPECT_EQ(workers_.next_deadline(), at(60));
  beat("w1", 1, 30);
  EXPECT_EQ(workers_.next_deadline(), at(65));
  EXPECT_THAT(workers_.overdue(at(89)), ElementsAre("w2"));
  EXPECT_THAT(workers_.overdue(at(90)), ElementsAre("w1", "w2"));
  workers_.remove("w1");
  workers_.remove("w2");
  workers_.remove("w2");
  EXPECT_EQ(workers_.next_deadline(), std::nullopt);
  EXPECT_EQ(workers_.by_peer("p1"), nullptr);
}

TEST_F(WorkersTest, a_long_stall_of_the_broker_makes_every_lease_a_fresh_one) {
  admit(hello("w1", "i1"), "p1", 0);
  admit(hello("w2", "i1"), "p2", 40);
  workers_.forgive(seconds{15}, at(59));
  EXPECT_THAT(workers_.overdue(at(118)), IsEmpty());
  EXPECT_THAT(workers_.overdue(at(119)), ElementsAre("w1", "w2"));
}

TEST_F(WorkersTest, a_short_stall_moves_a_lease_by_its_length_and_never_beyond_a_fresh_one) {
  admit(hello("w1", "i1"), "p1", 0);
  admit(hello("w2", "i1"), "p2", 55);
  workers_.forgive(seconds{10}, at(59));
  EXPECT_THAT(workers_.overdue(at(69)), IsEmpty());
  EXPECT_THAT(workers_.overdue(at(70)), ElementsAre("w1"));
  EXPECT_THAT(workers_.overdue(at(119)), ElementsAre("w1", "w2"));
}

TEST_F(WorkersTest, one_that_is_gone_is_lost_however_often_the_broker_pauses_for_a_moment) {
  admit(hello("w1", "i1"), "p1", 0);
  int64_t s = 0;
  for (; workers_.overdue(at(s)).empty(); s += 20) {
    ASSERT_LT(s, 600);
    workers_.forgive(seconds{10}, at(s));
  }
  EXPECT_GE(s, 60);
}

TEST_F(WorkersTest, assigns_only_to_who_was_heard_of_lately_and_does_not_drain) {
  admit(hello("w1", "i1"), "p1", 0);
  EXPECT_FALSE(assignable("w1", 0));
  beat("w1", 1, 10);
  EXPECT_TRUE(assignable("w1", 39));
  EXPECT_FALSE(assignable("w1", 40)) << "half of the lease is over: it would begin with too little";
  beat("w1", 2, 40, true);
  EXPECT_FALSE(assignable("w1", 40));
  beat("w1", 3, 41);
  EXPECT_TRUE(assignable("w1", 41));
}

}  // namespace
}  // namespace pipekit
