#include "broker/read_mark.h"

#include <gtest/gtest.h>

#include "broker/stall_watch.h"

namespace pipekit {
namespace {

using std::chrono::seconds;

MonoTime at(int64_t s) { return MonoTime{seconds{s}}; }

TEST(ReadMark, an_empty_socket_counts_only_when_the_process_was_awake_for_a_while_after_it) {
  ReadMark mark(seconds{5});
  mark.drained(at(100));
  EXPECT_EQ(mark.read_until(), std::nullopt);
  EXPECT_EQ(mark.look_at(at(100)), at(105));
  mark.drained(at(104));
  EXPECT_EQ(mark.read_until(), std::nullopt);
  mark.drained(at(105));
  EXPECT_EQ(mark.read_until(), at(100));
  EXPECT_EQ(mark.look_at(at(105)), at(110));
  EXPECT_EQ(mark.look_at(at(200)), at(200));
}

TEST(ReadMark, a_stall_begins_that_time_anew) {
  ReadMark mark(seconds{5});
  mark.drained(at(100));
  mark.stalled();
  EXPECT_EQ(mark.look_at(at(103)), at(103)) << "to read the socket once";
  mark.drained(at(106));
  EXPECT_EQ(mark.read_until(), std::nullopt);
  mark.drained(at(111));
  EXPECT_EQ(mark.read_until(), at(106));
}

TEST(ReadMark, goes_on_however_often_the_socket_is_read) {
  ReadMark mark(seconds{5});
  for (int64_t s = 0; s <= 100; ++s) mark.drained(at(s));
  EXPECT_GE(mark.read_until(), at(90));
}

TEST(ReadMark, without_a_lag_counts_at_once) {
  ReadMark mark({});
  mark.drained(at(7));
  EXPECT_EQ(mark.read_until(), at(7));
  EXPECT_EQ(mark.look_at(at(9)), at(9));
}

TEST(StallWatch, a_process_that_wakes_too_late_may_have_stood_still_since_it_began_to_wait) {
  StallWatch watch(seconds{60});
  watch.rests(at(0), at(50));
  EXPECT_EQ(watch.wakes(at(90)), seconds{90});
}

TEST(StallWatch, work_that_takes_long_is_a_stall_of_that_length) {
  StallWatch watch(seconds{60});
  watch.rests(at(0), at(50));
  EXPECT_EQ(watch.wakes(at(20)), seconds{0}) << "woken by a frame";
  watch.rests(at(28), at(50));  // it waited 8 s for the store's lock
  EXPECT_EQ(watch.wakes(at(40)), seconds{8});
  watch.rests(at(40), at(50));
  EXPECT_EQ(watch.wakes(at(50)), seconds{0}) << "told once";
}

TEST(StallWatch, a_little_lateness_is_none) {
  StallWatch watch(seconds{60});
  watch.rests(at(0), at(50));
  EXPECT_EQ(watch.wakes(at(54)), seconds{0});
}

}  // namespace
}  // namespace pipekit
