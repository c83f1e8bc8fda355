#include "shared/clock.h"

#include <gtest/gtest.h>

namespace pipekit {
namespace {

TEST(Clock, writes_times_as_iso_8601_in_utc) {
  EXPECT_EQ(to_iso(from_ms(0)), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_iso(from_ms(-1)), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_iso(from_ms(1'772'331'600'007)), "2026-03-01T02:20:00.007Z");
  EXPECT_EQ(to_iso(from_ms(1'709'164'800'000)), "2024-02-29T00:00:00.000Z");
}

TEST(Clock, writes_four_digits_of_every_year) {
  EXPECT_EQ(to_iso(from_ms(-62'135'596'800'000)), "0001-01-01T00:00:00.000Z");
  EXPECT_EQ(to_iso(from_ms(253'402'300'799'999)), "9999-12-31T23:59:59.999Z");
}

TEST(Clock, goes_on) {
  const SystemClock clock;
  const auto first = clock.now();
  EXPECT_LE(first, clock.now());
  EXPECT_GT(clock.wall(), from_ms(1'700'000'000'000));
  EXPECT_EQ(to_ms(from_ms(42)), 42);
}

}  // namespace
}  // namespace pipekit
