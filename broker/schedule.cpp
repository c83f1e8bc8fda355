#include "broker/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace pipekit {
namespace {

using std::chrono::seconds;

constexpr seconds kLongestInterval = std::chrono::days{366};
constexpr seconds kOne{1};

int64_t floor_div(seconds time, seconds every) {
  const auto quotient = time / every;
  return time % every < seconds{0} ? quotient - 1 : quotient;
}

FireTime clamped(FireTime t) { return std::clamp(t, TimeZone::kBegin, TimeZone::kEnd); }

// The latest that the wall clock has shown before the period. Offsets differ by less than 26 hours, so periods that
// ended two days earlier cannot have shown a later time than the last one.
LocalSeconds shown_before(const std::vector<TimeZone::Period>& periods, size_t index) {
  const auto& before = periods[index - 1];
  auto latest = before.local(before.end);
  const auto horizon = before.end - std::chrono::days{2};
  for (size_t i = index - 1; i-- > 0 && periods[i].end > horizon;)
    latest = std::max(latest, periods[i].local(periods[i].end));
  return latest;
}

}  // namespace

struct Schedule::Stretch {
  TimeZone::Period period;
  LocalSeconds from;     // the local times in [from, to) fire at that local time
  LocalSeconds to;       // may lie before `from`: the period shows only what was shown already
  bool skipped = false;  // fixed times that the clocks jumped over fire when the period begins
};

Schedule::Stretch Schedule::stretch(const Cron& cron, size_t index) {
  const auto& periods = cron.zone.periods();
  const auto& period = periods[index];
  Stretch result{period, period.local(period.begin), period.local(period.end)};
  if (cron.expression.follows_elapsed_time() || index == 0) return result;
  const auto shown = shown_before(periods, index);
  result.skipped = cron.expression.first(shown, result.from).has_value();
  result.from = std::max(result.from, shown);
  return result;
}

std::optional<FireTime> Schedule::next(const Cron& cron, FireTime after) {
  const auto start = after + kOne;
  const auto& periods = cron.zone.periods();
  for (auto i = cron.zone.index_at(start); i < periods.size() && periods[i].begin <= start + kHorizon; ++i) {
    const auto part = stretch(cron, i);
    if (part.skipped && start <= part.period.begin) return part.period.begin;
    const auto from = std::max(part.from, part.period.local(start));
    const auto to = std::min(part.to, part.period.local(start + kHorizon));
    if (const auto found = cron.expression.first(from, to)) return part.period.instant(*found);
  }
  return std::nullopt;
}

std::optional<FireTime> Schedule::previous(const Cron& cron, FireTime until) {
  const auto& periods = cron.zone.periods();
  for (auto i = cron.zone.index_at(until) + 1; i-- > 0 && periods[i].end >= until - kHorizon;) {
    const auto part = stretch(cron, i);
    const auto from = std::max(part.from, part.period.local(until - kHorizon));
    const auto to = std::min(part.to, part.period.local(until + kOne));
    if (const auto found = cron.expression.last(from, to)) return part.period.instant(*found);
    if (part.skipped && part.period.begin <= until) return part.period.begin;
  }
  return std::nullopt;
}

int64_t Schedule::count(const Cron& cron, FireTime after, FireTime until) {
  const auto start = after + kOne;
  const auto end = until + kOne;
  const auto& periods = cron.zone.periods();
  int64_t total = 0;
  for (auto i = cron.zone.index_at(start); i < periods.size() && periods[i].begin < end; ++i) {
    const auto part = stretch(cron, i);
    const auto from = std::max(part.from, part.period.local(start));
    total += cron.expression.count(from, std::min(part.to, part.period.local(end)));
    const bool fires_anyway = cron.expression.first(part.from, part.from + kOne).has_value();
    if (part.skipped && start <= part.period.begin && !fires_anyway) ++total;
  }
  return total;
}

Schedule::Schedule(CronExpression expression, TimeZone zone) : rule_(Cron{expression, std::move(zone)}) {}

Result<Schedule> Schedule::interval(seconds every) {
  if (every >= kOne && every <= kLongestInterval) return Schedule{Interval{every}};
  return Error{ErrorCode::kInvalid,
               fmt::format("every_s is {}: 1 to {} seconds are allowed", every.count(), kLongestInterval.count()),
               "the seconds between two starts, counted from 1970-01-01T00:00:00Z"};
}

Result<Schedule> Schedule::cron(std::string_view expression, std::string_view zone) {
  auto parsed = CronExpression::parse(expression);
  if (!parsed) return parsed.error();
  auto found = TimeZone::find(zone);
  if (!found) return found.error();
  return Schedule{*parsed, *std::move(found)};
}

std::optional<FireTime> Schedule::next(FireTime after) const {
  if (after >= TimeZone::kEnd) return std::nullopt;
  const auto from = clamped(after);
  if (const auto* cron = std::get_if<Cron>(&rule_)) return next(*cron, from);
  const auto every = std::get<Interval>(rule_).every;
  return FireTime{(floor_div(from.time_since_epoch(), every) + 1) * every};
}

std::optional<FireTime> Schedule::previous(FireTime until) const {
  if (until < TimeZone::kBegin) return std::nullopt;
  const auto from = clamped(until);
  if (const auto* cron = std::get_if<Cron>(&rule_)) return previous(*cron, from);
  const auto every = std::get<Interval>(rule_).every;
  return FireTime{floor_div(from.time_since_epoch(), every) * every};
}

int64_t Schedule::count(FireTime after, FireTime until) const {
  const auto from = clamped(after);
  const auto to = clamped(until);
  if (from >= to) return 0;
  if (const auto* cron = std::get_if<Cron>(&rule_)) return count(*cron, from, to);
  const auto every = std::get<Interval>(rule_).every;
  return floor_div(to.time_since_epoch(), every) - floor_div(from.time_since_epoch(), every);
}

std::vector<FireTime> Schedule::due(FireTime after, FireTime until, size_t limit) const {
  std::vector<FireTime> times;
  for (auto time = next(after); time && *time <= until && times.size() < limit; time = next(*time))
    times.push_back(*time);
  return times;
}

std::vector<FireTime> Schedule::upcoming(FireTime after, size_t count) const {
  return due(after, FireTime::max(), count);
}

}  // namespace pipekit
