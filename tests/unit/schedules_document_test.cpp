// docs/SCHEDULES.md is true: each row of its tables of times and rejected expressions is tried.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

#include "broker/misfire.h"
#include "broker/schedule.h"
#include "tests/support/temp_dir.h"
#include "tests/support/times.h"

namespace pipekit {
namespace {

using Row = std::vector<std::string>;

std::string trimmed(const std::string& cell) {
  const auto begin = cell.find_first_not_of(" `");
  return begin == std::string::npos ? "" : cell.substr(begin, cell.find_last_not_of(" `") + 1 - begin);
}

Row cells(const std::string& line) {
  Row row;
  std::istringstream stream{line.substr(1)};
  for (std::string cell; std::getline(stream, cell, '|');) row.push_back(trimmed(cell));
  return row;
}

// The rows of all tables with this header.
std::vector<Row> table(const Row& header) {
  std::istringstream text{test::read_file(std::string{PIPEKIT_SOURCE_DIR} + "/docs/SCHEDULES.md")};
  std::vector<Row> rows;
  bool within = false;
  for (std::string line; std::getline(text, line);) {
    if (!line.starts_with('|'))
      within = false;
    else if (cells(line) == header)
      within = true;
    else if (within && !line.starts_with("|---"))
      rows.push_back(cells(line));
  }
  return rows;
}

TEST(SchedulesDocument, every_time_it_shows_is_the_one_that_fires) {
  const auto rows = table({"expression", "zone", "after", "fires at"});
  ASSERT_GE(rows.size(), 12U);
  for (const auto& row : rows) {
    const auto schedule = Schedule::cron(row.at(0), row.at(1));
    ASSERT_TRUE(schedule.ok()) << row[0];
    std::string times;
    for (const auto time : schedule.value().upcoming(test::utc(row.at(2)), 2))
      times += (times.empty() ? "" : " ") + to_local_iso(TimeZone::find(row[1]).value(), time);
    EXPECT_EQ(times, row.at(3)) << row[0] << " " << row[1];
  }
}

TEST(SchedulesDocument, every_refusal_it_shows_is_the_one_given) {
  const auto rows = table({"refused", "because"});
  ASSERT_GE(rows.size(), 10U);
  for (const auto& row : rows) {
    const auto schedule = CronExpression::parse(row.at(0));
    ASSERT_FALSE(schedule.ok()) << row[0];
    EXPECT_EQ(schedule.error().message, row.at(1));
  }
}

TEST(SchedulesDocument, the_limits_it_names_are_those_of_the_program) {
  EXPECT_EQ(kMisfireTolerance, std::chrono::seconds{60});
  EXPECT_EQ(kMostFires, 1000U);
  EXPECT_EQ(Schedule::interval(std::chrono::seconds{604800}).value().next(test::utc("2026-01-01T12:00")),
            test::utc("2026-01-08T00:00"));  // a Thursday
}

}  // namespace
}  // namespace pipekit
