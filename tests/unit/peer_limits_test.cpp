#include "broker/peer_limits.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

class Limits : public testing::Test {
 protected:
  // How many of this many frames that arrive at once are admitted.
  int64_t admitted(const std::string& peer, int64_t frames, size_t bytes = 100) {
    int64_t count = 0;
    for (int64_t i = 0; i < frames; ++i) count += limits_.spend(peer, bytes, now_) ? 1 : 0;
    return count;
  }

  MonoTime now_{std::chrono::hours{1}};
  PeerLimits limits_{PeerBudget{1000, 2000, 10'000, 50'000}};
};

TEST_F(Limits, a_burst_is_admitted_and_then_what_the_rate_allows) {
  EXPECT_EQ(admitted("a", 3000, 1), 2000);
  now_ += milliseconds(500);
  EXPECT_EQ(admitted("a", 3000, 1), 500);
  now_ += seconds(60);
  EXPECT_EQ(admitted("a", 3000, 1), 2000);
  EXPECT_EQ(limits_.counters().throttled, 1000 + 2500 + 1000);
}

TEST_F(Limits, bytes_are_counted_too) {
  EXPECT_EQ(admitted("a", 10, 20'000), 3);  // the third starts with some budget left
  now_ += seconds(1);
  EXPECT_EQ(admitted("a", 10, 20'000), 1);
}

TEST_F(Limits, what_one_spends_is_not_taken_from_another) {
  admitted("a", 10'000, 1);
  EXPECT_EQ(admitted("b", 2000, 1), 2000);
}

TEST_F(Limits, what_was_dearer_is_taken_afterwards) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(limits_.spend("a", 1, now_));
    limits_.charge("a", 19, now_);
  }
  EXPECT_FALSE(limits_.spend("a", 1, now_));
}

TEST_F(Limits, who_has_to_wait_is_told_how_long) {
  admitted("a", 2001, 1);
  limits_.charge("a", 500, now_);
  const auto wait = limits_.retry_after("a", now_);
  EXPECT_GE(wait, milliseconds(500));
  EXPECT_LE(wait, milliseconds(502));
  now_ += wait;
  EXPECT_TRUE(limits_.spend("a", 1, now_));
}

TEST_F(Limits, who_goes_on_all_the_same_is_cut_off_for_a_minute) {
  limits_.strike("a", PeerLimits::kStrikes, now_);
  EXPECT_FALSE(limits_.drops("a", now_));
  limits_.strike("a", 1, now_);
  EXPECT_TRUE(limits_.drops("a", now_));
  EXPECT_FALSE(limits_.drops("b", now_));
  EXPECT_EQ(limits_.shut_out(now_), 1);
  EXPECT_THAT(limits_.take_cut_off(), ElementsAre("a"));
  EXPECT_THAT(limits_.take_cut_off(), ElementsAre());
  now_ += PeerLimits::kCutOff - milliseconds(1);
  EXPECT_TRUE(limits_.drops("a", now_));
  now_ += milliseconds(1);
  EXPECT_FALSE(limits_.drops("a", now_));
  EXPECT_EQ(limits_.shut_out(now_), 0);
  EXPECT_EQ(limits_.counters().cut_off, 1);
  EXPECT_EQ(limits_.counters().dropped, 2);
  EXPECT_EQ(admitted("a", 3000, 1), 2000) << "as if nothing had been";
}

TEST_F(Limits, strikes_are_forgiven_with_time) {
  for (int second = 0; second < 100; ++second) {
    limits_.strike("a", PeerLimits::kStrikesPerSecond, now_);
    now_ += seconds(1);
  }
  EXPECT_FALSE(limits_.drops("a", now_));
  EXPECT_EQ(limits_.counters().cut_off, 0);
}

TEST_F(Limits, strangers_without_end_are_no_table_without_end) {
  for (size_t i = 0; i < 3 * PeerLimits::kMostPeers; ++i)
    ASSERT_TRUE(limits_.spend(fmt::format("a{}", i), 0, now_) || true);
  EXPECT_LE(limits_.known(), PeerLimits::kMostPeers + 1);
  EXPECT_FALSE(limits_.spend("late", 0, now_)) << "they share a budget, which is spent";
  EXPECT_TRUE(limits_.spend("a7", 0, now_)) << "who was there before has its own";
}

TEST_F(Limits, who_is_idle_is_forgotten_when_there_is_need) {
  for (size_t i = 0; i < PeerLimits::kMostPeers; ++i) limits_.spend(fmt::format("a{}", i), 0, now_);
  limits_.strike("a7", PeerLimits::kStrikes + 1, now_);
  now_ += seconds(10);
  limits_.spend("new", 0, now_);
  EXPECT_EQ(limits_.known(), 2U) << "the new one, and the one that is cut off";
  EXPECT_TRUE(limits_.drops("a7", now_));
}

TEST_F(Limits, an_honest_program_at_full_speed_is_not_throttled) {
  PeerLimits clients{kClientBudget};
  for (int i = 0; i < 26'000 * 10; ++i) {
    ASSERT_TRUE(clients.spend("bench", 150, now_));
    now_ += std::chrono::microseconds(38);
  }
  PeerLimits workers{kWorkerBudget};
  for (int second = 0; second < 60; ++second) {  // a hundred workers with one key, a lease of half a second
    for (int i = 0; i < 100 * 12; ++i) ASSERT_TRUE(workers.spend("key", 2000, now_));
    now_ += seconds(1);
  }
}

}  // namespace
}  // namespace pipekit
