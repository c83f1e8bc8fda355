#include "broker/metrics.h"

#include <gtest/gtest.h>

namespace pipekit {
namespace {

using std::chrono::microseconds;

TEST(Durations, are_zero_before_the_first) {
  EXPECT_EQ(Durations().json_us(), (Json{{"count", 0}, {"p50", 0}, {"p99", 0}, {"max", 0}}));
}

TEST(Durations, are_told_as_percentiles) {
  Durations durations;
  for (int i = 100; i >= 0; --i) durations.add(microseconds{i});
  EXPECT_EQ(durations.json_us(), (Json{{"count", 101}, {"p50", 50}, {"p99", 99}, {"max", 100}}));
}

TEST(Durations, are_those_of_lately) {
  Durations durations;
  durations.add(microseconds{1'000'000});
  for (int i = 0; i < 2048; ++i) durations.add(microseconds{5});
  EXPECT_EQ(durations.json_us(), (Json{{"count", 2049}, {"p50", 5}, {"p99", 5}, {"max", 5}}));
}

}  // namespace
}  // namespace pipekit
