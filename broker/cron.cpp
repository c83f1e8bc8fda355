#include "broker/cron.h"

#include <algorithm>
#include <bit>

namespace pipekit {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::local_days;
using std::chrono::seconds;
using std::chrono::year_month;
using std::chrono::year_month_day;

constexpr seconds kDay = days{1};

constexpr uint64_t below(unsigned bit) { return bit >= 64 ? ~uint64_t{0} : (uint64_t{1} << bit) - 1; }
constexpr bool has(uint64_t field, unsigned value) { return (field >> value & 1) != 0; }
// Of a field that is not empty.
unsigned lowest(uint64_t field) { return static_cast<unsigned>(std::countr_zero(field)); }
unsigned highest(uint64_t field) { return 63U - static_cast<unsigned>(std::countl_zero(field)); }

struct TimeOfDay {
  explicit TimeOfDay(seconds since_midnight) {
    const auto total = static_cast<unsigned>(since_midnight.count());
    hour = total / 3600;
    minute = total / 60 % 60;
    second = total % 60;
  }
  unsigned hour;
  unsigned minute;
  unsigned second;
};

seconds time_of(unsigned hour, unsigned minute, unsigned second) { return seconds{(hour * 60 + minute) * 60 + second}; }

year_month month_of(local_days day) {
  const year_month_day date{day};
  return date.year() / date.month();
}

local_days first_of(year_month month) { return local_days{month / 1}; }

// The days of `month` that lie in [from, to).
uint64_t window(year_month month, local_days from, local_days to) {
  const auto first = first_of(month);
  const auto begin = std::max<int64_t>((from - first).count(), 0);
  const auto end = std::clamp<int64_t>((to - first).count(), 0, 31);
  if (begin >= end) return 0;
  return (below(static_cast<unsigned>(end)) & ~below(static_cast<unsigned>(begin))) << 1;
}

local_days day_in(year_month month, unsigned day) { return first_of(month) + days{day - 1}; }

}  // namespace

CronExpression::CronExpression(CronFields fields) : fields_(fields) {}

uint64_t CronExpression::days_of(year_month month) const {
  if (!has(fields_.months, static_cast<unsigned>(month.month()))) return 0;
  const auto length = static_cast<unsigned>((month / std::chrono::last).day());
  const auto first = std::chrono::weekday{first_of(month)}.c_encoding();
  // The week, begun on the first's weekday and repeated: bit 0 is the first of the month.
  const uint64_t week = (fields_.weekdays >> first | fields_.weekdays << (7 - first)) & below(7);
  const uint64_t by_weekday = (week | week << 7 | week << 14 | week << 21 | week << 28) << 1;
  const auto matching = fields_.both_days ? fields_.days & by_weekday : fields_.days | by_weekday;
  return matching & below(length + 1) & ~uint64_t{1};
}

bool CronExpression::matches_day(local_days day) const {
  const year_month_day date{day};
  return has(days_of(date.year() / date.month()), static_cast<unsigned>(date.day()));
}

std::optional<local_days> CronExpression::first_day(local_days from, local_days to) const {
  for (auto month = month_of(from); first_of(month) < to; month += std::chrono::months{1}) {
    if (const auto found = days_of(month) & window(month, from, to)) return day_in(month, lowest(found));
  }
  return std::nullopt;
}

std::optional<local_days> CronExpression::last_day(local_days from, local_days to) const {
  const auto earliest = month_of(from);
  for (auto month = month_of(to); month >= earliest; month -= std::chrono::months{1}) {
    if (const auto found = days_of(month) & window(month, from, to)) return day_in(month, highest(found));
  }
  return std::nullopt;
}

int64_t CronExpression::count_days(local_days from, local_days to) const {
  int64_t total = 0;
  for (auto month = month_of(from); first_of(month) < to; month += std::chrono::months{1}) {
    total += std::popcount(days_of(month) & window(month, from, to));
  }
  return total;
}

std::optional<seconds> CronExpression::first_time(seconds from) const {
  const TimeOfDay at{from};
  if (has(fields_.hours, at.hour)) {
    if (has(fields_.minutes, at.minute)) {
      if (const auto second = fields_.seconds & ~below(at.second)) return time_of(at.hour, at.minute, lowest(second));
    }
    if (const auto minute = fields_.minutes & ~below(at.minute + 1))
      return time_of(at.hour, lowest(minute), lowest(fields_.seconds));
  }
  const auto hour = fields_.hours & ~below(at.hour + 1);
  if (hour == 0) return std::nullopt;
  return time_of(lowest(hour), lowest(fields_.minutes), lowest(fields_.seconds));
}

std::optional<seconds> CronExpression::last_time(seconds before) const {
  const TimeOfDay at{before};
  if (has(fields_.hours, at.hour)) {
    if (has(fields_.minutes, at.minute)) {
      if (const auto second = fields_.seconds & below(at.second)) return time_of(at.hour, at.minute, highest(second));
    }
    if (const auto minute = fields_.minutes & below(at.minute))
      return time_of(at.hour, highest(minute), highest(fields_.seconds));
  }
  const auto hour = fields_.hours & below(at.hour);
  if (hour == 0) return std::nullopt;
  return time_of(highest(hour), highest(fields_.minutes), highest(fields_.seconds));
}

int64_t CronExpression::count_times(seconds before) const {
  const TimeOfDay at{before};
  const int64_t a_minute = std::popcount(fields_.seconds);
  const int64_t an_hour = std::popcount(fields_.minutes) * a_minute;
  int64_t total = std::popcount(fields_.hours & below(at.hour)) * an_hour;
  if (!has(fields_.hours, at.hour)) return total;
  total += std::popcount(fields_.minutes & below(at.minute)) * a_minute;
  if (!has(fields_.minutes, at.minute)) return total;
  return total + std::popcount(fields_.seconds & below(at.second));
}

std::optional<LocalSeconds> CronExpression::first(LocalSeconds from, LocalSeconds to) const {
  if (from >= to) return std::nullopt;
  const auto today = floor<days>(from);
  std::optional<LocalSeconds> found;
  if (matches_day(today)) {
    if (const auto time = first_time(from - today)) found = today + *time;
  }
  if (!found) {
    if (const auto day = first_day(today + days{1}, std::chrono::ceil<days>(to)))
      found = *day + *first_time(seconds{0});
  }
  return found && *found < to ? found : std::nullopt;
}

std::optional<LocalSeconds> CronExpression::last(LocalSeconds from, LocalSeconds to) const {
  if (from >= to) return std::nullopt;
  const auto today = floor<days>(to);
  std::optional<LocalSeconds> found;
  if (matches_day(today)) {
    if (const auto time = last_time(to - today)) found = today + *time;
  }
  if (!found) {
    if (const auto day = last_day(floor<days>(from), today)) found = *day + *last_time(kDay);
  }
  return found && *found >= from ? found : std::nullopt;
}

int64_t CronExpression::count(LocalSeconds from, LocalSeconds to) const {
  if (from >= to) return 0;
  const auto first = floor<days>(from);
  const auto last = floor<days>(to);
  int64_t total = count_days(first, last) * count_times(kDay);
  if (matches_day(first)) total -= count_times(from - first);
  if (matches_day(last)) total += count_times(to - last);
  return total;
}

}  // namespace pipekit
