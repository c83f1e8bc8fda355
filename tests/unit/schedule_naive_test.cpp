// Random expressions compared with an evaluator that shares no code with the product: the generator knows each field's
// values without parsing, the C library computes local time, and every second (or minute) is checked.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "broker/schedule.h"
#include "tests/support/times.h"

namespace pipekit {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using test::utc;

struct Field {
  std::string text;
  std::set<int> values;
};

struct Expression {
  std::string text;
  std::array<Field, 6> fields;  // second first
  [[nodiscard]] bool star(size_t field) const { return fields[field].text[0] == '*'; }
  [[nodiscard]] bool elapsed() const { return fields[2].text.find_first_of("*/") != std::string::npos; }
};

class Generator {
 public:
  explicit Generator(unsigned seed) : random_(seed) {}

  Expression expression(bool with_seconds) {
    Expression made;
    made.fields[0] = with_seconds ? field(0, 59, 40, 59) : Field{"", {0}};
    made.fields[1] = field(0, 59, 30, 59);
    made.fields[2] = field(0, 23, 20, one_in(2) ? 4 : 23);  // daylight-saving changes happen at night
    made.fields[3] = field(1, 31, 60, 31);
    made.fields[4] = field(1, 12, 90, 12);
    made.fields[5] = field(0, 6, 60, 6);
    for (size_t i = with_seconds ? 0 : 1; i < 6; ++i) made.text += (made.text.empty() ? "" : " ") + made.fields[i].text;
    return made;
  }

 private:
  int pick(int low, int high) { return std::uniform_int_distribution{low, high}(random_); }
  bool one_in(int n) { return pick(1, n) == 1; }

  // Numbers are at most `most`; the field itself allows up to `high`.
  Field element(int low, int high, int most) {
    Field made;
    int from = pick(low, most), to = from, step = 1;
    made.text = std::to_string(from);
    if (one_in(3)) {
      to = pick(from, most);
      made.text += "-" + std::to_string(to);
    } else if (one_in(4)) {
      from = low, to = high;
      made.text = "*";
    }
    if (made.text.find_first_of("-*") != std::string::npos && one_in(2)) {
      step = pick(1, high - low);
      made.text += "/" + std::to_string(step);
    }
    for (int value = from; value <= to; value += step) made.values.insert(value);
    return made;
  }

  Field field(int low, int high, int star_percent, int most) {
    if (pick(1, 100) <= star_percent) {
      Field all{"*", {}};
      for (int value = low; value <= high; ++value) all.values.insert(value);
      return all;
    }
    auto made = element(low, high, most);
    while (one_in(2)) {
      const auto more = element(low, high, most);
      made.text += "," + more.text;
      made.values.insert(more.values.begin(), more.values.end());
    }
    return made;
  }

  std::mt19937 random_;
};

bool matches(const Expression& expression, int64_t local) {
  const time_t at = local;
  tm parts{};
  gmtime_r(&at, &parts);
  const auto in = [&](size_t field, int value) { return expression.fields[field].values.contains(value); };
  const bool day = in(3, parts.tm_mday), weekday = in(5, parts.tm_wday);
  const bool days = expression.star(3) || expression.star(5) ? day && weekday : day || weekday;
  return days && in(0, parts.tm_sec) && in(1, parts.tm_min) && in(2, parts.tm_hour) && in(4, parts.tm_mon + 1);
}

// The contract, read literally, over the instants [begin, end) of one zone.
class Naive {
 public:
  Naive(const std::string& zone, FireTime begin, FireTime end, int64_t step) : begin_(begin), end_(end), step_(step) {
    setenv("TZ", (":" + zone).c_str(), 1);
    tzset();
    // Starts a little earlier, so that the earlier local times are known.
    for (auto t = (begin - hours{6}).time_since_epoch().count(); t < end.time_since_epoch().count(); t += step) {
      const time_t at = t;
      tm parts{};
      localtime_r(&at, &parts);
      instants_.push_back({t, t + parts.tm_gmtoff});
      first_shown_.try_emplace(t + parts.tm_gmtoff, t);
    }
    unsetenv("TZ");
    tzset();
  }

  [[nodiscard]] std::vector<FireTime> times(const Expression& expression) const {
    std::set<int64_t> found;
    if (expression.elapsed()) {
      for (const auto& [t, local] : instants_)
        if (matches(expression, local)) found.insert(t);
    } else {
      const auto last = first_shown_.rbegin()->first;
      for (auto local = first_shown_.begin()->first; local <= last; local += step_)
        if (matches(expression, local)) found.insert(first_shown_.lower_bound(local)->second);
    }
    std::vector<FireTime> all;
    for (const auto t : found)
      if (FireTime{seconds{t}} >= begin_ && FireTime{seconds{t}} < end_) all.emplace_back(seconds{t});
    return all;
  }

 private:
  struct Instant {
    int64_t t;
    int64_t local;
  };
  FireTime begin_;
  FireTime end_;
  int64_t step_;
  std::vector<Instant> instants_;
  std::map<int64_t, int64_t> first_shown_;  // local time to the first instant that shows it
};

struct Window {
  const char* zone;
  const char* change;
};

const std::vector<Window>& changes() {
  static const std::vector<Window> all{
      {"America/New_York", "2026-03-08T07:00"},    {"America/New_York", "2026-11-01T06:00"},
      {"Europe/Berlin", "2026-03-29T01:00"},       {"Europe/Berlin", "2026-10-25T01:00"},
      {"Australia/Lord_Howe", "2026-04-04T15:00"}, {"Australia/Lord_Howe", "2026-10-03T15:30"},
      {"America/Sao_Paulo", "2018-11-04T03:00"},   {"America/Sao_Paulo", "2019-02-17T02:00"},
      {"Pacific/Apia", "2011-12-30T10:00"},        {"Africa/Casablanca", "2026-02-15T02:00"},
      {"Africa/Casablanca", "2026-03-22T02:00"},   {"Africa/Cairo", "2026-04-23T22:00"},
      {"Africa/Cairo", "2026-10-29T21:00"},        {"Asia/Tehran", "2022-03-21T20:30"},
      {"Asia/Tehran", "2022-09-21T19:30"},         {"Antarctica/Troll", "2026-03-29T01:00"},
      {"Antarctica/Troll", "2026-10-25T01:00"},    {"Europe/Dublin", "2026-10-25T01:00"},
      {"Asia/Gaza", "2038-03-27T00:00"},           {"America/Nuuk", "2040-10-28T00:00"},
  };
  return all;
}

void expect_the_same(const Expression& expression, const Window& window, const Naive& naive, FireTime begin,
                     FireTime end) {
  const auto schedule = Schedule::cron(expression.text, window.zone);
  if (!schedule) return;  // days that none of the months has
  const auto context = expression.text + " in " + window.zone + " around " + window.change;
  const auto expected = naive.times(expression);
  ASSERT_EQ(test::texts(schedule.value().due(begin - seconds{1}, end - seconds{1}, 1000000)), test::texts(expected))
      << context;
  ASSERT_EQ(schedule.value().count(begin - seconds{1}, end - seconds{1}), static_cast<int64_t>(expected.size()))
      << context;
  for (size_t i = 0; i < expected.size(); i += 1 + expected.size() / 20) {
    ASSERT_EQ(schedule.value().next(expected[i] - seconds{1}), expected[i]) << context;
    ASSERT_EQ(schedule.value().previous(expected[i]), expected[i]) << context;
    ASSERT_EQ(schedule.value().count(begin - seconds{1}, expected[i]), static_cast<int64_t>(i) + 1) << context;
    if (i == 0) continue;
    ASSERT_EQ(schedule.value().previous(expected[i] - seconds{1}), expected[i - 1]) << context;
  }
}

TEST(ScheduleAgainstNaive, minutes_over_three_days_around_every_kind_of_change) {
  Generator generator{20260308};
  for (const auto& window : changes()) {
    const auto begin = utc(window.change) - hours{36}, end = utc(window.change) + hours{36};
    const Naive naive{window.zone, begin, end, 60};
    for (int i = 0; i < 30; ++i) {
      expect_the_same(generator.expression(false), window, naive, begin, end);
      if (HasFatalFailure()) return;
    }
  }
}

// Fixed times at night, and the same with a step: every daylight-saving change affects them.
std::vector<Expression> touched_by_changes() {
  const auto daily = [](const Field& minute, const Field& hour) {
    Expression made{"", {Field{"", {0}}, minute, hour, Field{"*", {}}, Field{"*", {}}, Field{"*", {}}}};
    for (int day = 1; day <= 31; ++day) made.fields[3].values.insert(day);
    for (int month = 1; month <= 12; ++month) made.fields[4].values.insert(month);
    for (int weekday = 0; weekday <= 6; ++weekday) made.fields[5].values.insert(weekday);
    made.text = minute.text + " " + hour.text + " * * *";
    return made;
  };
  const Field minutes{"0,17,30", {0, 17, 30}};
  return {daily(minutes, {"0,1,2,3,23", {0, 1, 2, 3, 23}}), daily(minutes, {"0-3/1,23", {0, 1, 2, 3, 23}}),
          daily({"30", {30}}, {"2", {2}})};
}

TEST(ScheduleAgainstNaive, every_change_of_the_zones_people_use_from_2020_to_2040) {
  const auto expressions = touched_by_changes();
  for (const auto* name :
       {"America/New_York", "America/Los_Angeles", "America/Santiago", "America/Sao_Paulo", "Europe/London",
        "Europe/Berlin", "Europe/Dublin", "Europe/Moscow", "Africa/Cairo", "Africa/Casablanca", "Asia/Jerusalem",
        "Asia/Tehran", "Asia/Kolkata", "Asia/Tokyo", "Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland"}) {
    for (const auto& period : TimeZone::find(name).value().periods()) {
      if (period.begin < utc("2020-01-01T00:00") || period.begin > utc("2041-01-01T00:00")) continue;
      const auto begin = period.begin - hours{6}, end = period.begin + hours{6};
      const auto change = test::text(period.begin);
      const Naive naive{name, begin, end, 60};
      for (const auto& expression : expressions) {
        expect_the_same(expression, {name, change.c_str()}, naive, begin, end);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST(ScheduleAgainstNaive, seconds_over_the_hours_around_every_kind_of_change) {
  Generator generator{20261101};
  for (const auto& window : changes()) {
    const auto begin = utc(window.change) - hours{3}, end = utc(window.change) + hours{3};
    const Naive naive{window.zone, begin, end, 1};
    for (int i = 0; i < 3; ++i) {
      expect_the_same(generator.expression(true), window, naive, begin, end);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ScheduleAgainstNaive, times_only_grow_over_two_years) {
  Generator generator{7};
  for (int i = 0; i < 500; ++i) {
    const auto expression = generator.expression(i % 5 == 0);
    const auto& zone = changes()[static_cast<size_t>(i) % changes().size()].zone;
    const auto schedule = Schedule::cron(expression.text, zone);
    if (!schedule) continue;
    auto at = utc("2025-12-31T00:00");
    for (int n = 0; n < 200 && at < utc("2028-01-01T00:00"); ++n) {
      const auto next = schedule.value().next(at);
      ASSERT_TRUE(next) << expression.text;
      ASSERT_GT(*next, at) << expression.text;
      ASSERT_EQ(schedule.value().count(at, *next), 1) << expression.text;
      at = *next;
    }
  }
}

}  // namespace
}  // namespace pipekit
