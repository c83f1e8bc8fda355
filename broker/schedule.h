// When a schedule fires: a cron expression in a time zone, or an interval. The broker keeps one Schedule and its next
// time for each enabled row; the store, the clock and the queue are elsewhere. Pure values; any thread.
//
// A scheduled time is an instant, a whole second in UTC. What follows is the algorithm of Paul Vixie's cron (ISC cron
// 4, cron(8), "daylight saving time"), without its limit of three hours and with the zone's table in place of a clock
// that is watched:
//
// - A fixed time (neither `*` nor a step in the hour field) fires at the first instant at which the zone's wall clock
//   reaches or passes it. So a time that a change of the clocks removes fires at the change, and one that it repeats
//   fires the first time only. That holds for the minutes, too: in the hour that is repeated `* 1 * * *` fires 60
//   times, not 120, and in the hour that is removed `* 2 * * *` fires once, at the change, because
// - scheduled times that fall on one instant are one: `0 2,3 * * *` fires once on the day without 02:00.
// - With `*` or a step in the hour field firing follows elapsed time: at every instant whose wall clock time matches.
// So
//   `0 * * * *` fires every 60 minutes on every day. What the clocks skip is skipped (`0 */2 * * *` has no 02:00 on the
//   day without one) and what they repeat is repeated (`30 */1 * * *`: 01:30 twice).
//
// Where the clocks skip a whole day (Pacific/Apia, 2011-12-30) its fixed times fire as one, when the next day begins.
//
// An interval fires at the multiples of every_s seconds since 1970-01-01T00:00:00Z. So it needs no memory: a restart or
// an edit moves nothing, and equal intervals fire together.
//
// Every search is bounded: a cron expression fires at least once in 40 years (29 February on a given weekday, across
// 2100), so after kHorizon the answer is none. Each function costs microseconds, whatever lies between its arguments.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "broker/cron.h"
#include "broker/time_zone.h"
#include "shared/error.h"

namespace pipekit {

using FireTime = std::chrono::sys_seconds;

class Schedule {
 public:
  static constexpr std::chrono::seconds kHorizon = std::chrono::years{100};

  Schedule(CronExpression expression, TimeZone zone);
  // kInvalid unless 1 <= every <= one year.
  static Result<Schedule> interval(std::chrono::seconds every);
  // Both parts by their names; the error's message says which is wrong.
  static Result<Schedule> cron(std::string_view expression, std::string_view zone);

  // The first scheduled time after `after`, which is exclusive.
  [[nodiscard]] std::optional<FireTime> next(FireTime after) const;
  // The last scheduled time at or before `until`.
  [[nodiscard]] std::optional<FireTime> previous(FireTime until) const;
  // How many there are in (after, until].
  [[nodiscard]] int64_t count(FireTime after, FireTime until) const;
  // The scheduled times in (after, until], at most `limit`, in order.
  [[nodiscard]] std::vector<FireTime> due(FireTime after, FireTime until, size_t limit) const;
  // The next `count` times.
  [[nodiscard]] std::vector<FireTime> upcoming(FireTime after, size_t count) const;

 private:
  struct Cron {
    CronExpression expression;
    TimeZone zone;
  };
  struct Interval {
    std::chrono::seconds every;
  };
  // One period of the zone as a schedule sees it.
  struct Stretch;

  explicit Schedule(Interval interval) : rule_(interval) {}

  static Stretch stretch(const Cron& cron, size_t period);
  static std::optional<FireTime> next(const Cron& cron, FireTime after);
  static std::optional<FireTime> previous(const Cron& cron, FireTime until);
  static int64_t count(const Cron& cron, FireTime after, FireTime until);

  std::variant<Cron, Interval> rule_;
};

}  // namespace pipekit
