#include "broker/misfire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/support/times.h"

namespace pipekit {
namespace {

using test::utc;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Schedule cron(const std::string& expression, const std::string& zone = "UTC") {
  auto schedule = Schedule::cron(expression, zone);
  if (!schedule) throw std::invalid_argument(schedule.error().message);
  return *schedule;
}

std::vector<std::string> told(const std::vector<Outcome>& outcomes) {
  std::vector<std::string> all;
  for (const auto& outcome : outcomes) {
    auto line = outcome.fires ? "fire " + test::text(outcome.nominal_at)
                              : fmt::format("missed {}: {} to {}", outcome.count, test::text(outcome.nominal_at),
                                            test::text(outcome.until_at));
    all.push_back(outcome.reason.empty() ? line : line + " (" + outcome.reason + ")");
  }
  return all;
}

std::vector<std::string> after(const Schedule& schedule, const std::string& from, const std::string& now,
                               Misfire policy) {
  return told(consider(schedule, utc(from), utc(now), policy));
}

TEST(Misfire, in_everyday_running_the_one_time_that_has_come_fires_whatever_the_policy) {
  for (const auto policy : {Misfire::kLatest, Misfire::kSkip, Misfire::kAll}) {
    EXPECT_THAT(after(cron("0 * * * *"), "2026-01-01T10:00", "2026-01-01T11:00:00", policy),
                ElementsAre("fire 2026-01-01T11:00:00Z"));
    EXPECT_THAT(after(cron("0 * * * *"), "2026-01-01T10:00", "2026-01-01T10:59:59", policy), IsEmpty());
  }
}

TEST(Misfire, latest_fires_the_newest_and_tells_the_others_in_one_row) {
  EXPECT_THAT(after(cron("0 * * * *"), "2026-01-01T10:00", "2026-01-03T12:30", Misfire::kLatest),
              ElementsAre("missed 49: 2026-01-01T11:00:00Z to 2026-01-03T11:00:00Z (superseded by a later scheduled "
                          "time; misfire: latest)",
                          "fire 2026-01-03T12:00:00Z (30 min late)"));
  EXPECT_THAT(after(cron("0 2 * * *"), "2026-01-01T02:00", "2026-01-02T09:12", Misfire::kLatest),
              ElementsAre("fire 2026-01-02T02:00:00Z (7 h 12 min late)"));
}

TEST(Misfire, skip_fires_only_what_is_at_most_a_minute_late) {
  EXPECT_THAT(after(cron("0 * * * *"), "2026-01-01T10:00", "2026-01-01T11:01:00", Misfire::kSkip),
              ElementsAre("fire 2026-01-01T11:00:00Z"));
  EXPECT_THAT(
      after(cron("0 * * * *"), "2026-01-01T10:00", "2026-01-01T11:01:01", Misfire::kSkip),
      ElementsAre("missed 1: 2026-01-01T11:00:00Z to 2026-01-01T11:00:00Z (more than 60 s late; misfire: skip)"));
  EXPECT_THAT(after(cron("0 * * * *"), "2026-01-01T10:00", "2026-01-01T13:00:10", Misfire::kSkip),
              ElementsAre("missed 2: 2026-01-01T11:00:00Z to 2026-01-01T12:00:00Z (superseded by a later scheduled "
                          "time; misfire: skip)",
                          "fire 2026-01-01T13:00:00Z"));
}

TEST(Misfire, all_fires_each_oldest_first) {
  EXPECT_THAT(after(cron("0 * * * *"), "2026-01-01T10:00", "2026-01-01T13:00:10", Misfire::kAll),
              ElementsAre("fire 2026-01-01T11:00:00Z (2 h 0 min late)", "fire 2026-01-01T12:00:00Z (60 min late)",
                          "fire 2026-01-01T13:00:00Z"));
}

TEST(Misfire, all_is_bounded_and_keeps_the_newest) {
  const auto minutes = cron("* * * * *");
  const auto outcomes = consider(minutes, utc("2020-01-01T00:00"), utc("2026-01-01T00:00"), Misfire::kAll);
  ASSERT_EQ(outcomes.size(), kMostFires + 1);
  EXPECT_FALSE(outcomes[0].fires);
  EXPECT_EQ(outcomes[0].count, minutes.count(utc("2020-01-01T00:00"), utc("2026-01-01T00:00")) - 1000);
  EXPECT_EQ(outcomes[0].until_at + std::chrono::minutes{1}, outcomes[1].nominal_at);
  EXPECT_EQ(outcomes.back().nominal_at, utc("2026-01-01T00:00"));
}

TEST(Misfire, a_clock_that_went_back_owes_nothing) {
  for (const auto policy : {Misfire::kLatest, Misfire::kSkip, Misfire::kAll})
    EXPECT_THAT(after(cron("* * * * * *"), "2026-01-01T10:00", "2026-01-01T09:00", policy), IsEmpty());
}

TEST(Misfire, the_repeated_hour_owes_a_fixed_time_once) {
  EXPECT_THAT(after(cron("30 1 * * *", "America/New_York"), "2026-10-31T12:00", "2026-11-01T12:00", Misfire::kAll),
              ElementsAre("fire 2026-11-01T05:30:00Z (6 h 30 min late)"));
}

TEST(Misfire, each_nominal_time_is_in_exactly_one_outcome) {
  const auto from = utc("2026-03-07T00:00");
  for (const auto* text : {"* * * * *", "*/20 * * * *", "0 2,3 * * *", "30 */1 * * *", "15 30 2 * * *"}) {
    const auto schedule = cron(text, "America/New_York");
    for (const auto policy : {Misfire::kLatest, Misfire::kSkip, Misfire::kAll}) {
      for (int hours = 1; hours < 72; hours += 7) {
        const auto now = from + std::chrono::hours{hours};
        auto covered = from;
        for (const auto& outcome : consider(schedule, from, now, policy)) {
          EXPECT_EQ(schedule.next(covered), outcome.nominal_at);
          EXPECT_EQ(schedule.count(covered, outcome.until_at), outcome.count);
          covered = outcome.until_at;
        }
        EXPECT_EQ(schedule.count(covered, now), 0) << text;
      }
    }
  }
}

TEST(Misfire, what_is_left_after_the_first_outcome_is_still_there) {
  const auto schedule = cron("*/10 * * * *");
  const auto from = utc("2026-01-01T10:00");
  const auto now = utc("2026-01-01T12:00");
  const auto all = told(consider(schedule, from, now, Misfire::kAll));
  const auto rest =
      told(consider(schedule, consider(schedule, from, now, Misfire::kAll).front().until_at, now, Misfire::kAll));
  EXPECT_EQ(std::vector(all.begin() + 1, all.end()), rest);
}

TEST(Misfire, three_days_of_five_thousand_minute_schedules_cost_well_below_a_second) {
  const auto schedule = cron("* * * * *", "America/New_York");
  const auto begin = std::chrono::steady_clock::now();
  int64_t missed = 0;
  for (int i = 0; i < 5000; ++i)
    missed += consider(schedule, utc("2026-03-06T00:00"), utc("2026-03-09T00:00"), Misfire::kLatest).front().count;
  EXPECT_EQ(missed, 5000 * (3 * 1440 - 1));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{1});
}

TEST(Misfire, words_are_those_of_the_definitions) {
  for (const auto policy : {Misfire::kLatest, Misfire::kSkip, Misfire::kAll})
    EXPECT_EQ(misfire_from(to_string(policy)), policy);
  EXPECT_EQ(misfire_from("Latest"), std::nullopt);
}

}  // namespace
}  // namespace pipekit
