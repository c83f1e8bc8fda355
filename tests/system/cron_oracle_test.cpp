// Other programs as oracles: croniter for random expressions, systemd for dates and daylight-saving changes. Where they
// differ from CONTRACT.md, the class of difference is named where the test accepts it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "broker/schedule.h"
#include "tests/support/run_program.h"
#include "tests/support/times.h"

namespace pipekit {
namespace {

using std::chrono::seconds;
using test::utc;

constexpr const char* kPython = "/usr/bin/python3";  // the one that Debian's packages install for
constexpr const char* kSystemd = "/usr/bin/systemd-analyze";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream{text};
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<FireTime> times_of(const std::string& said) {
  std::vector<FireTime> times;
  std::istringstream words{said};
  for (int64_t at = 0; words >> at;) times.emplace_back(seconds{at});
  return times;
}

// croniter steps from the 21st of February to a 31st of February and arrives at the 3rd of March: it skips matching
// days at the beginning of a month that follows a shorter one.
bool may_be_overshot(FireTime time) {
  const auto today = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{today};
  const auto before = date.year() / date.month() - std::chrono::months{1};
  const auto missing = 31U - static_cast<unsigned>((before / std::chrono::last).day());
  return static_cast<unsigned>(date.day()) <= missing;
}

TEST(CronOracle, croniter_finds_the_same_times_of_5000_random_expressions) {
  if (test::run_program(kPython, {"-c", "import croniter"}).exit_code != 0) GTEST_SKIP() << "needs python3-croniter";
  const auto base = utc("2026-01-01T00:00");
  const auto oracle = test::run_program(
      kPython, {std::string{PIPEKIT_SOURCE_DIR} + "/tests/oracle/croniter_oracle.py", "--seed", "20260308", "--count",
                "5000", "--times", "5", "--base", std::to_string(base.time_since_epoch().count())});
  ASSERT_EQ(oracle.exit_code, 0) << oracle.err;
  int compared = 0, never = 0, day_ranges = 0, overshot = 0;
  for (const auto& line : lines_of(oracle.out)) {
    const auto text = line.substr(0, line.find('\t'));
    const auto said = line.substr(line.find('\t') + 1);
    const auto schedule = Schedule::cron(text, "UTC");
    // croniter finds out by searching; Pipekit rejects it.
    ASSERT_EQ(schedule.ok(), said != "never") << line << (schedule.ok() ? "" : schedule.error().message);
    if (said == "never") {
      ++never;
      continue;
    }
    // croniter treats a range of all days (1-31, 0-7) like `*`, so both day fields must match. cron(5) looks only at
    // the first character, and so does the contract.
    if (said == "day-range") {
      ++day_ranges;
      continue;
    }
    const auto theirs = times_of(said);
    auto ours = schedule.value().due(base, theirs.back(), 100000);
    if (ours != theirs) {
      EXPECT_LT(++overshot, 20) << text;
      std::erase_if(ours, [&](FireTime time) { return may_be_overshot(time) && !std::ranges::count(theirs, time); });
    }
    ASSERT_EQ(test::texts(ours), test::texts(theirs)) << text;
    ++compared;
  }
  EXPECT_EQ(compared + never + day_ranges, 5000);
  EXPECT_GT(compared, 4700);
  EXPECT_GT(never, 0);
}

// The times that systemd names, for each expression.
std::vector<std::vector<std::string>> systemd_times(const std::vector<std::string>& expressions, FireTime base,
                                                    size_t count) {
  std::vector<std::string> arguments{"calendar", "--iterations=" + std::to_string(count),
                                     "--base-time=@" + std::to_string(base.time_since_epoch().count())};
  arguments.insert(arguments.end(), expressions.begin(), expressions.end());
  const auto run = test::run_program(kSystemd, arguments, {.env = {"TZ=UTC", "LC_ALL=C"}});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  std::vector<std::vector<std::string>> all;
  for (const auto& line : lines_of(run.out)) {
    if (line.find("Normalized form:") != std::string::npos) all.emplace_back();
    const bool time = line.find("Next elapse:") != std::string::npos || line.find("Iter. #") != std::string::npos;
    if (!time || line.ends_with("never") || all.empty()) continue;
    // "... Wed 2020-01-01 09:30:00 UTC"
    const auto at = line.substr(line.size() - 23, 19);
    all.back().push_back(at.substr(0, 10) + "T" + at.substr(11) + "Z");
  }
  return all;
}

bool has_systemd() { return std::filesystem::exists(kSystemd); }

// The same meaning in both languages. systemd requires weekday and date to match, as cron does if one day field is `*`.
struct Translated {
  std::string cron;
  std::string systemd;
};

class Translator {
 public:
  explicit Translator(unsigned seed) : random_(seed) {}

  Translated make(const std::string& zone) {
    static constexpr auto kNames = std::to_array<const char*>({"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"});
    const auto second = values(0, 59), minute = values(0, 59), hour = values(0, 23), month = values(1, 12);
    const bool by_weekday = random_() % 2 == 0;
    const auto weekday = by_weekday ? values(0, 6) : std::set<int>{};
    const auto day = by_weekday ? std::set<int>{} : values(1, 28);
    std::string names;
    for (const auto value : weekday)
      names += (names.empty() ? "" : ",") + std::string{kNames[static_cast<size_t>(value)]};
    return {list(second) + " " + list(minute) + " " + list(hour) + " " + list(day) + " " + list(month) + " " +
                list(weekday),
            names + (names.empty() ? "" : " ") + "*-" + list(month) + "-" + list(day) + " " + list(hour) + ":" +
                list(minute) + ":" + list(second) + " " + zone};
  }

 private:
  std::set<int> values(int low, int high) {
    std::set<int> made;
    for (auto n = random_() % 4; n > 0; --n) made.insert(std::uniform_int_distribution{low, high}(random_));
    return made;
  }
  static std::string list(const std::set<int>& values) {
    std::string text;
    for (const auto value : values) text += (text.empty() ? "" : ",") + std::to_string(value);
    return text.empty() ? "*" : text;
  }
  std::mt19937 random_;
};

TEST(CronOracle, systemd_finds_the_same_times_in_zones_without_dst) {
  if (!has_systemd()) GTEST_SKIP() << "needs systemd-analyze";
  const auto base = utc("2026-01-01T00:00");
  for (const std::string zone : {"UTC", "Asia/Kathmandu"}) {
    Translator translator{20260308};
    std::vector<Translated> cases;
    std::vector<std::string> asked;
    for (int i = 0; i < 150; ++i) asked.push_back(cases.emplace_back(translator.make(zone)).systemd);
    const auto said = systemd_times(asked, base, 5);
    ASSERT_EQ(said.size(), cases.size());
    for (size_t i = 0; i < cases.size(); ++i)
      ASSERT_EQ(test::texts(Schedule::cron(cases[i].cron, zone).value().upcoming(base, 5)), said[i]) << cases[i].cron;
  }
}

// systemd leaves out a time that the clocks skip; by the contract it fires at the change. In the repeated hour both
// fire fixed times once, the first time. Nothing else may differ.
TEST(CronOracle, systemd_finds_the_same_times_over_all_changes_of_the_clocks_from_2020_to_2040) {
  if (!has_systemd()) GTEST_SKIP() << "needs systemd-analyze";
  const auto base = utc("2020-01-01T00:00"), end = utc("2040-12-31T00:00");
  // New_York also represents Chicago, Denver and Los Angeles, Berlin Paris, Madrid and Rome: the same rule with another
  // offset.
  struct Case {
    std::string name;
    std::string months;
  };
  for (const auto& [name, months] : std::vector<Case>{{"America/New_York", "3,11"},
                                                      {"Europe/Berlin", "3,10"},
                                                      {"Europe/London", "3,10"},
                                                      {"Australia/Sydney", "4,10"},
                                                      {"America/Santiago", "4,9"}}) {
    const auto schedule = Schedule::cron("30 0-3 * " + months + " sun", name).value();
    const auto ours = schedule.due(base, end, 10000);
    const auto said = systemd_times({"Sun *-" + months + "-* 0,1,2,3:30:00 " + name}, base, ours.size()).at(0);
    std::set<std::string> theirs{said.begin(), said.end()};
    const auto zone = TimeZone::find(name).value();
    size_t skipped = 0;
    for (const auto time : ours) {
      if (theirs.contains(test::text(time))) continue;
      ++skipped;
      EXPECT_EQ(zone.periods()[zone.index_at(time)].begin, time)
          << "not at a change: " << name << " " << test::text(time);
    }
    EXPECT_EQ(skipped, 21U) << "a spring in each year: " << name;
    for (const auto& time : theirs) EXPECT_EQ(schedule.previous(utc(time)), utc(time)) << name;
  }
}

}  // namespace
}  // namespace pipekit
