#include "broker/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/times.h"

namespace pipekit {
namespace {

using std::chrono::seconds;
using test::utc;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Schedule cron(const std::string& expression, const std::string& zone) {
  auto schedule = Schedule::cron(expression, zone);
  if (!schedule) throw std::invalid_argument(schedule.error().message);
  return *schedule;
}

struct Case {
  const char* zone;
  const char* expression;
  const char* after;
  std::vector<std::string> times;  // in UTC, without ":00Z"
};

// Calculated by hand from the rules of the zones.
void check(const std::vector<Case>& cases) {
  for (const auto& [zone, expression, after, times] : cases) {
    std::vector<std::string> expected;
    for (const auto& time : times) expected.push_back(time + ":00Z");
    EXPECT_EQ(test::texts(cron(expression, zone).upcoming(utc(after), times.size())), expected)
        << expression << " " << zone;
  }
}

TEST(Schedule, a_fixed_time_that_dst_removes_fires_at_the_change) {
  check({
      {"America/New_York", "20 2 * * *", "2026-03-07T08:00", {"2026-03-08T07:00", "2026-03-09T06:20"}},
      {"America/New_York", "0 20 2 * * *", "2026-03-07T08:00", {"2026-03-08T07:00", "2026-03-09T06:20"}},
      {"America/New_York", "20 2 8 3 *", "2026-01-01T00:00", {"2026-03-08T07:00", "2027-03-08T07:20"}},
      {"America/New_York",
       "59 1,2 * * *",
       "2026-03-08T00:00",
       {"2026-03-08T06:59", "2026-03-08T07:00", "2026-03-09T05:59"}},
      {"Europe/Berlin", "30 2 * * *", "2026-03-28T12:00", {"2026-03-29T01:00", "2026-03-30T00:30"}},
      {"Europe/Berlin", "0 3 * * *", "2026-03-28T12:00", {"2026-03-29T01:00", "2026-03-30T01:00"}},
      {"Europe/Dublin", "30 1 * * *", "2026-03-28T12:00", {"2026-03-29T01:00", "2026-03-30T00:30"}},
      {"Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00", {"2026-10-03T15:30", "2026-10-04T15:15"}},
      {"Australia/Lord_Howe", "30 2 * * *", "2026-10-03T00:00", {"2026-10-03T15:30", "2026-10-04T15:30"}},
      {"America/Sao_Paulo", "0 0 * * *", "2018-11-03T12:00", {"2018-11-04T03:00", "2018-11-05T02:00"}},
      {"Africa/Cairo", "0 0 * * *", "2026-04-23T12:00", {"2026-04-23T22:00", "2026-04-24T21:00"}},
      {"Asia/Tehran", "30 0 * * *", "2022-03-21T12:00", {"2022-03-21T20:30", "2022-03-22T20:00"}},
      {"Africa/Casablanca", "30 2 * * *", "2026-03-21T12:00", {"2026-03-22T02:00", "2026-03-23T01:30"}},
      {"Antarctica/Troll",
       "30 1,2 * * *",
       "2026-03-28T12:00",
       {"2026-03-29T01:00", "2026-03-29T23:30", "2026-03-30T00:30"}},
  });
}

TEST(Schedule, a_fixed_time_that_dst_repeats_fires_the_first_time_only) {
  check({
      {"America/New_York", "30 1 * * *", "2026-10-31T12:00", {"2026-11-01T05:30", "2026-11-02T06:30"}},
      {"America/New_York", "0 2 * * *", "2026-10-31T12:00", {"2026-11-01T07:00", "2026-11-02T07:00"}},
      {"America/New_York",
       "*/30 1 * * *",
       "2026-11-01T04:00",
       {"2026-11-01T05:00", "2026-11-01T05:30", "2026-11-02T06:00"}},
      {"Europe/Berlin", "30 2 * * *", "2026-10-24T12:00", {"2026-10-25T00:30", "2026-10-26T01:30"}},
      {"Europe/Dublin", "30 1 * * *", "2026-10-24T12:00", {"2026-10-25T00:30", "2026-10-26T01:30"}},
      {"Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00", {"2026-04-04T14:45", "2026-04-05T15:15"}},
      {"Australia/Lord_Howe", "15 1 * * *", "2026-04-04T00:00", {"2026-04-04T14:15", "2026-04-05T14:45"}},
      {"America/Sao_Paulo", "30 23 * * *", "2019-02-16T12:00", {"2019-02-17T01:30", "2019-02-18T02:30"}},
      {"America/Sao_Paulo", "0 0 * * *", "2019-02-16T12:00", {"2019-02-17T03:00", "2019-02-18T03:00"}},
      {"Africa/Cairo", "0 0 * * *", "2026-10-29T12:00", {"2026-10-29T22:00", "2026-10-30T22:00"}},
      {"Asia/Tehran", "30 23 * * *", "2022-09-21T12:00", {"2022-09-21T19:00", "2022-09-22T20:00"}},
      {"Africa/Casablanca", "30 2 * * *", "2026-02-14T12:00", {"2026-02-15T01:30", "2026-02-16T02:30"}},
      {"Antarctica/Troll",
       "30 1,2 * * *",
       "2026-10-24T12:00",
       {"2026-10-24T23:30", "2026-10-25T00:30", "2026-10-26T01:30"}},
  });
}

TEST(Schedule, a_star_or_a_step_in_the_hour_field_follows_elapsed_time) {
  check({
      {"America/New_York",
       "0 * * * *",
       "2026-03-08T05:30",
       {"2026-03-08T06:00", "2026-03-08T07:00", "2026-03-08T08:00"}},
      {"America/New_York",
       "0 * * * *",
       "2026-11-01T04:30",
       {"2026-11-01T05:00", "2026-11-01T06:00", "2026-11-01T07:00"}},
      {"America/New_York",
       "30 */1 * * *",
       "2026-11-01T05:00",
       {"2026-11-01T05:30", "2026-11-01T06:30", "2026-11-01T07:30"}},
      {"America/New_York",
       "0 */2 * * *",
       "2026-03-08T04:00",
       {"2026-03-08T05:00", "2026-03-08T08:00", "2026-03-08T10:00"}},
      {"America/New_York",
       "0 1-3/2 * * *",
       "2026-11-01T04:00",
       {"2026-11-01T05:00", "2026-11-01T06:00", "2026-11-01T08:00"}},
      {"Australia/Lord_Howe",
       "45 * * * *",
       "2026-04-04T14:00",
       {"2026-04-04T14:45", "2026-04-04T15:15", "2026-04-04T16:15"}},
      {"Australia/Lord_Howe",
       "0 * * * *",
       "2026-10-03T14:00",
       {"2026-10-03T14:30", "2026-10-03T16:00", "2026-10-03T17:00"}},
      {"Antarctica/Troll",
       "0 * * * *",
       "2026-03-28T23:30",
       {"2026-03-29T00:00", "2026-03-29T01:00", "2026-03-29T02:00"}},
  });
}

TEST(Schedule, minutes_of_a_fixed_hour_are_fixed_times) {
  const auto removed = cron("* 2 * * *", "America/New_York");
  EXPECT_THAT(test::texts(removed.upcoming(utc("2026-03-07T08:00"), 2)),
              ElementsAre("2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"));
  const auto repeated = cron("* 1 * * *", "America/New_York");
  EXPECT_EQ(repeated.count(utc("2026-11-01T04:00"), utc("2026-11-01T08:00")), 60);
  EXPECT_EQ(repeated.previous(utc("2026-11-01T08:00")), utc("2026-11-01T05:59"));
  EXPECT_EQ(cron("* * 1 * * *", "America/New_York").count(utc("2026-11-01T04:00"), utc("2026-11-01T08:00")), 3600);
}

TEST(Schedule, nominal_times_on_one_instant_are_one) {
  const auto both = cron("0 2,3 * * *", "America/New_York");
  EXPECT_THAT(test::texts(both.upcoming(utc("2026-03-08T00:00"), 2)),
              ElementsAre("2026-03-08T07:00:00Z", "2026-03-09T06:00:00Z"));
  EXPECT_EQ(both.count(utc("2026-03-08T00:00"), utc("2026-03-08T23:00")), 1);
}

TEST(Schedule, the_times_of_a_skipped_day_fire_as_one_when_the_next_begins) {
  check({
      {"Pacific/Apia", "0 2 * * *", "2011-12-29T12:00", {"2011-12-30T10:00", "2011-12-30T12:00", "2011-12-31T12:00"}},
      {"Pacific/Apia", "0 2 30 12 *", "2011-01-01T00:00", {"2011-12-30T10:00", "2012-12-29T12:00"}},
      {"Pacific/Apia",
       "0 */12 * * *",
       "2011-12-29T12:00",
       {"2011-12-29T22:00", "2011-12-30T10:00", "2011-12-30T22:00"}},
  });
}

TEST(Schedule, after_is_exclusive_and_until_inclusive) {
  const auto hourly = cron("0 * * * *", "UTC");
  EXPECT_EQ(hourly.next(utc("2026-01-01T10:00")), utc("2026-01-01T11:00"));
  EXPECT_EQ(hourly.next(utc("2026-01-01T09:59:59")), utc("2026-01-01T10:00"));
  EXPECT_EQ(hourly.previous(utc("2026-01-01T10:00")), utc("2026-01-01T10:00"));
  EXPECT_EQ(hourly.previous(utc("2026-01-01T09:59:59")), utc("2026-01-01T09:00"));
  EXPECT_EQ(hourly.count(utc("2026-01-01T10:00"), utc("2026-01-01T11:00")), 1);
  EXPECT_EQ(hourly.count(utc("2026-01-01T11:00"), utc("2026-01-01T10:00")), 0);
  EXPECT_EQ(hourly.due(utc("2026-01-01T10:00"), utc("2026-01-01T20:00"), 3).size(), 3U);
  EXPECT_TRUE(hourly.due(utc("2026-01-01T10:00"), utc("2026-01-01T10:59"), 3).empty());
}

TEST(Schedule, a_change_of_the_zone_is_seen_from_both_sides) {
  const auto removed = cron("20 2 * * *", "America/New_York");
  const auto change = utc("2026-03-08T07:00");
  EXPECT_EQ(removed.next(change - seconds{1}), change);
  EXPECT_EQ(removed.next(change), utc("2026-03-09T06:20"));
  EXPECT_EQ(removed.previous(change), change);
  EXPECT_EQ(removed.previous(change - seconds{1}), utc("2026-03-07T07:20"));
}

TEST(Schedule, rare_dates_are_found_and_no_search_is_endless) {
  EXPECT_EQ(cron("0 12 29 2 */7", "Europe/Berlin").next(utc("2088-03-01T00:00")), utc("2128-02-29T11:00"));
  EXPECT_EQ(cron("0 12 29 2 */7", "Europe/Berlin").previous(utc("2128-02-29T10:00")), utc("2088-02-29T11:00"));
  const auto yearly = cron("@yearly", "UTC");
  EXPECT_EQ(yearly.next(FireTime::max()), std::nullopt);
  EXPECT_EQ(yearly.previous(FireTime::min()), std::nullopt);
  EXPECT_EQ(yearly.next(FireTime::min()), utc("0002-01-01T00:00"));
  EXPECT_EQ(yearly.previous(FireTime::max()), utc("9998-01-01T00:00"));
  EXPECT_EQ(yearly.count(FireTime::min(), FireTime::max()), 9997);
}

TEST(Schedule, an_interval_counts_from_the_epoch_and_needs_no_memory) {
  const auto ten = Schedule::interval(seconds{600});
  ASSERT_TRUE(ten.ok());
  EXPECT_THAT(test::texts(ten.value().upcoming(utc("2026-01-01T10:05"), 2)),
              ElementsAre("2026-01-01T10:10:00Z", "2026-01-01T10:20:00Z"));
  EXPECT_EQ(ten.value().previous(utc("2026-01-01T10:10")), utc("2026-01-01T10:10"));
  EXPECT_EQ(ten.value().previous(utc("1969-12-31T23:59:59")), utc("1969-12-31T23:50"));
  EXPECT_EQ(ten.value().next(utc("1969-12-31T23:50")), utc("1970-01-01T00:00"));
  EXPECT_EQ(ten.value().count(utc("2026-01-01T10:00"), utc("2026-01-04T10:00")), 3 * 144);
  EXPECT_EQ(Schedule::interval(seconds{7}).value().next(utc("2026-01-01T00:00")), utc("2026-01-01T00:00:07"));
}

TEST(Schedule, an_interval_out_of_range_is_refused) {
  for (const int64_t every : {int64_t{0}, int64_t{-5}, int64_t{31622401}, std::numeric_limits<int64_t>::max()}) {
    const auto schedule = Schedule::interval(seconds{every});
    ASSERT_FALSE(schedule.ok());
    EXPECT_EQ(schedule.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(schedule.error().message, HasSubstr("1 to 31622400"));
  }
}

TEST(Schedule, a_refusal_says_whether_expression_or_zone_is_wrong) {
  EXPECT_THAT(Schedule::cron("61 * * * *", "UTC").error().message, HasSubstr("minute field"));
  EXPECT_THAT(Schedule::cron("0 * * * *", "Europe/Berlyn").error().hint, HasSubstr("Europe/Berlin"));
}

}  // namespace
}  // namespace pipekit
