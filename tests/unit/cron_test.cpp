#include "broker/cron.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/times.h"

namespace pipekit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

LocalSeconds local(const std::string& text) { return LocalSeconds{test::utc(text).time_since_epoch()}; }

std::string shown(LocalSeconds time) {
  auto text = test::text(std::chrono::sys_seconds{time.time_since_epoch()});
  text.pop_back();
  return text;
}

CronExpression parsed(const std::string& text) {
  auto expression = CronExpression::parse(text);
  if (!expression) throw std::invalid_argument(text + ": " + expression.error().message);
  return *expression;
}

// The first `n` at or after `from`.
std::vector<std::string> matches(const std::string& text, const std::string& from, size_t n) {
  const auto expression = parsed(text);
  std::vector<std::string> found;
  const auto end = local("2200-01-01T00:00");
  for (auto at = expression.first(local(from), end); at && found.size() < n;
       at = expression.first(*at + std::chrono::seconds{1}, end))
    found.push_back(shown(*at));
  return found;
}

std::string refusal(const std::string& text) {
  const auto expression = CronExpression::parse(text);
  if (expression.ok()) return "accepted";
  EXPECT_EQ(expression.error().code, ErrorCode::kInvalid) << text;
  return expression.error().message + " | " + expression.error().hint;
}

TEST(CronExpression, reads_five_fields_minute_first) {
  EXPECT_THAT(matches("20 2 * * *", "2026-01-01T00:00", 2), ElementsAre("2026-01-01T02:20:00", "2026-01-02T02:20:00"));
}

TEST(CronExpression, reads_six_fields_second_first) {
  EXPECT_THAT(matches("15,45 20 2 * * *", "2026-01-01T02:20:16", 2),
              ElementsAre("2026-01-01T02:20:45", "2026-01-02T02:20:15"));
}

struct Same {
  const char* a;
  const char* b;
};

TEST(CronExpression, knows_one_thing_by_several_names) {
  for (const auto& [a, b] : std::vector<Same>{
           {"0 0 * jan MON", "0 0 * 1 1"},
           {"0 0 * Jan-mar,DEC Sun", "0 0 * 1-3,12 0"},
           {"0 0 * * 7", "0 0 * * 0"},
           {"0 0 * * 5-7", "0 0 * * 0,5,6"},
           {"0 0 * * fri-sun", "0 0 * * 0,5,6"},
           {"0 0 * * sun-tue", "0 0 * * 0-2"},
           {"0 0 * * 0-7", "0 0 * * *"},
           {"0 0 * * mon-fri/2", "0 0 * * 1,3,5"},
           {"0 0 * * 1/2", "0 0 * * 0,1,3,5"},
           {"*/15 * * * *", "0,15,30,45 * * * *"},
           {"5/20 * * * *", "5,25,45 * * * *"},
           {"10-50/20 * * * *", "10,30,50 * * * *"},
           {"1,2,1-3,*/30 * * * *", "0,1,2,3,30 * * * *"},
           {"05 007 * * *", "5 7 * * *"},
           {"  0\t0  1 1 * \n", "0 0 1 1 *"},
           {"0 0 0 1 1 *", "0 0 1 1 *"},
           {"*/60 * * * *", "0 * * * *"},
           {"@yearly", "0 0 1 1 *"},
           {"@annually", "0 0 1 1 *"},
           {"@monthly", "0 0 1 * *"},
           {"@weekly", "0 0 * * 0"},
           {"@daily", "0 0 * * *"},
           {"@midnight", "0 0 * * *"},
           {"@Hourly", "0 * * * *"},
       })
    EXPECT_EQ(matches(a, "2026-01-01T00:00", 200), matches(b, "2026-01-01T00:00", 200)) << a << " and " << b;
}

TEST(CronExpression, follows_elapsed_time_with_a_star_or_a_step_in_the_hour_field_only) {
  for (const auto* text : {"0 * * * *", "0 */2 * * *", "0 8-18/2 * * *", "0 8/2 * * *", "0 0 * * * *", "@hourly"})
    EXPECT_TRUE(parsed(text).follows_elapsed_time()) << text;
  for (const auto* text : {"* 2 * * *", "*/5 2 * * *", "0 0-23 * * *", "* * 2 * * *", "0 1,2 */2 * *", "@daily"})
    EXPECT_FALSE(parsed(text).follows_elapsed_time()) << text;
}

TEST(CronExpression, either_day_field_may_match_when_both_are_restricted) {
  // The 13th was a Tuesday.
  EXPECT_THAT(matches("0 0 13 * fri", "2026-01-01T00:00", 4),
              ElementsAre("2026-01-02T00:00:00", "2026-01-09T00:00:00", "2026-01-13T00:00:00", "2026-01-16T00:00:00"));
  EXPECT_EQ(matches("0 0 1-31 * mon", "2026-01-01T00:00", 60), matches("0 0 * * *", "2026-01-01T00:00", 60));
}

TEST(CronExpression, both_day_fields_must_match_when_one_begins_with_a_star) {
  EXPECT_THAT(matches("0 0 */2 * mon", "2026-01-01T00:00", 3),
              ElementsAre("2026-01-05T00:00:00", "2026-01-19T00:00:00", "2026-02-09T00:00:00"));
  EXPECT_THAT(matches("0 0 13 * */5", "2026-01-01T00:00", 2),
              ElementsAre("2026-02-13T00:00:00", "2026-03-13T00:00:00"));
  // The star matters if the field begins with it.
  EXPECT_EQ(matches("0 0 1,*/7 * mon", "2026-01-01T00:00", 50),
            matches("0 0 1,8,15,22,29 * mon", "2026-01-01T00:00", 50));
}

TEST(CronExpression, finds_the_29th_of_february_on_a_weekday_across_2100) {
  EXPECT_THAT(matches("0 0 29 2 *", "2096-01-01T00:00", 2), ElementsAre("2096-02-29T00:00:00", "2104-02-29T00:00:00"));
  EXPECT_THAT(matches("0 0 29 2 */7", "2073-01-01T00:00", 2),
              ElementsAre("2088-02-29T00:00:00", "2128-02-29T00:00:00"));
}

TEST(CronExpression, a_refusal_names_the_field_and_what_it_allows) {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const auto& [text, message] : std::vector<Case>{
           {"60 * * * *", "minute field: '60' is out of range, 0 to 59 is allowed"},
           {"60 0 0 * * *", "second field: '60' is out of range"},
           {"0 24 * * *", "hour field: '24' is out of range, 0 to 23"},
           {"0 0 0 * *", "day-of-month field: '0' is out of range, 1 to 31"},
           {"0 0 32 * *", "day-of-month field: '32'"},
           {"0 0 * 13 *", "month field: '13' is out of range, 1 to 12 and jan to dec is allowed"},
           {"0 0 * 0 *", "month field: '0'"},
           {"0 0 * * 8", "day-of-week field: '8' is out of range, 0 to 7 and sun to sat"},
           {"99999999999999999999 * * * *", "minute field: '99999999999999999999' is out of range"},
           {"0 22-3 * * *",
            "hour field: '22-3' is reversed | a range runs from the smaller to the larger value: write "
            "two ranges, 22-23,0-3"},
           {"0 0 * * fri-mon", "day-of-week field: 'fri-mon' is reversed"},
           {"0 0 * * 6-0", "'6-0' is reversed"},
           {"*/0 * * * *", "minute field: '*/0' has the step 0"},
           {"*/90 * * * *", "minute field: '*/90' has a step longer than the field, at most 60"},
           {"*/x * * * *", "'*/x' has a step that is not a number"},
           {"*/5/5 * * * *", "'*/5/5' has a step that is not a number"},
           {"1--5 * * * *", "minute field: '1--5'"},
           {"-5 * * * *", "minute field: '-5' is incomplete"},
           {"5- * * * *", "minute field: '5-' is incomplete"},
           {"/5 * * * *", "minute field: '/5' is incomplete"},
           {"1,,2 * * * *", "minute field: '1,,2' has an empty element"},
           {"1, * * * *", "minute field: '1,' has an empty element"},
           {"*5 * * * *", "minute field: '*5' is not a number or a range"},
           {"1.5 * * * *", "minute field: '1.5' is not a number or a range"},
           {"0 0 * january *", "month field: 'january' is not a name of a month | names have three letters: jan, feb"},
           {"0 0 * * funday", "day-of-week field: 'funday' is not a name of a weekday"},
           {"mon * * * *", "minute field: 'mon'"},
           {"0 0 ? * *", "day-of-month field: '?' uses a character that is not supported | ? L W # H ~ belong"},
           {"0 0 L * *", "day-of-month field: 'L' uses a character that is not supported"},
           {"0 0 15W * *", "day-of-month field: '15W' uses"},
           {"0 0 * * 5#2", "day-of-week field: '5#2' uses"},
           {"H 0 * * *", "minute field: 'H' uses"},
           {"", "'' has 0 fields where five or six are needed"},
           {"* * * *", "has 4 fields where five or six are needed"},
           {"0 0 0 * * * 2026", "has seven fields (a year is not understood) where five or six"},
           {"0 1, 2 * * *", "minute field: '1,' has an empty element"},
           {"CRON_TZ=UTC 0 2 * * *", "second field: 'CRON_TZ=UTC' is not a number or a range"},
           {"@reboot", "@reboot is not a time"},
           {"@every 5m", "is not a cron expression | use kind: interval"},
           {"@dayly", "'@dayly' is not a known name for a time | did you mean '@daily'?"},
           {"@daily 5", "is not a known name"},
           {"30 2 30 2 *", "'30 2 30 2 *' can never fire: no month 2 has a day 30"},
           {"0 0 31 4,6,9,11 *", "can never fire: no month 4,6,9,11 has a day 31"},
           {"0 0 31 feb */2", "can never fire"},
           {"0 0 30-31 feb *", "can never fire"},
       })
    EXPECT_THAT(refusal(text), HasSubstr(message)) << text;
}

TEST(CronExpression, an_impossible_date_beside_a_weekday_can_fire) {
  EXPECT_THAT(matches("0 0 30 2 mon", "2026-01-01T00:00", 1), ElementsAre("2026-02-02T00:00:00"));
}

TEST(CronExpression, bytes_of_any_kind_are_refused_and_shown_safely) {
  EXPECT_THAT(refusal("\x1b[31m * * * *"), HasSubstr("minute field: '?[31m'"));
  EXPECT_THAT(refusal(std::string(100, '7') + " * * * *"), HasSubstr("'" + std::string(40, '7') + "...'"));
  EXPECT_THAT(refusal(std::string(100000, '*')), HasSubstr("at most 1000 characters"));
  EXPECT_THAT(refusal(std::string("0 0 * * \0", 9)), HasSubstr("day-of-week field: '?'"));
}

TEST(CronExpression, first_last_and_count_agree_in_any_window) {
  const auto begin = local("2026-01-30T23:59:50");
  for (const auto* text : {"*/7 * * * * *", "10-20 30 0,12 31 * *", "59 59 23 * * *", "0 0 0 1 * *", "0 0 * * *"}) {
    const auto expression = parsed(text);
    for (int from = 0; from < 20; ++from) {
      const auto start = begin + std::chrono::seconds{from};
      const auto end = start + std::chrono::seconds{from * 7919};
      int64_t walked = 0;
      std::optional<LocalSeconds> last;
      for (auto at = expression.first(start, end); at; at = expression.first(*at + std::chrono::seconds{1}, end)) {
        ++walked;
        last = at;
      }
      EXPECT_EQ(expression.count(start, end), walked) << text;
      EXPECT_EQ(expression.last(start, end), last) << text;
    }
  }
}

}  // namespace
}  // namespace pipekit
