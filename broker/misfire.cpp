#include "broker/misfire.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace pipekit {
namespace {

using std::chrono::seconds;

constexpr auto kWords = std::to_array<std::string_view>({"latest", "skip", "all"});

// "3 h 12 min"
std::string spoken(seconds lateness) {
  const auto total = lateness.count();
  if (total < 120) return fmt::format("{} s", total);
  if (total < 7200) return fmt::format("{} min", total / 60);
  if (total < 172800) return fmt::format("{} h {} min", total / 3600, total / 60 % 60);
  return fmt::format("{} d {} h", total / 86400, total / 3600 % 24);
}

Outcome fire(FireTime at, FireTime now, seconds tolerance) {
  Outcome outcome{.fires = true, .nominal_at = at, .until_at = at};
  if (now - at > tolerance) outcome.reason = fmt::format("{} late", spoken(now - at));
  return outcome;
}

// All from `first` to `last` in one row.
Outcome missed(const Schedule& schedule, FireTime first, FireTime last, std::string reason) {
  return {.fires = false,
          .nominal_at = first,
          .until_at = last,
          .count = schedule.count(first - seconds{1}, last),
          .reason = std::move(reason)};
}

// The newest fires; what came before it is missed.
std::vector<Outcome> newest(const Schedule& schedule, FireTime first, FireTime last, FireTime now, Misfire policy,
                            seconds tolerance) {
  std::vector<Outcome> outcomes;
  if (first < last) {
    const auto before = schedule.previous(last - seconds{1});
    outcomes.push_back(missed(schedule, first, *before,
                              fmt::format("superseded by a later scheduled time; misfire: {}", to_string(policy))));
  }
  outcomes.push_back(fire(last, now, tolerance));
  return outcomes;
}

std::vector<Outcome> every(const Schedule& schedule, FireTime first, FireTime last, FireTime now, seconds tolerance) {
  std::vector<FireTime> times{last};  // newest first
  while (times.back() > first && times.size() < kMostFires)
    times.push_back(*schedule.previous(times.back() - seconds{1}));
  std::vector<Outcome> outcomes;
  if (times.back() > first) {
    const auto before = schedule.previous(times.back() - seconds{1});
    outcomes.push_back(
        missed(schedule, first, *before, fmt::format("misfire: all fires the newest {} only", kMostFires)));
  }
  for (auto at = times.rbegin(); at != times.rend(); ++at) outcomes.push_back(fire(*at, now, tolerance));
  return outcomes;
}

}  // namespace

std::optional<Misfire> misfire_from(std::string_view word) {
  const auto found = std::ranges::find(kWords, word);
  if (found == kWords.end()) return std::nullopt;
  return static_cast<Misfire>(found - kWords.begin());
}

std::string_view to_string(Misfire policy) { return kWords[static_cast<size_t>(policy)]; }

std::vector<Outcome> consider(const Schedule& schedule, FireTime after, FireTime now, Misfire policy,
                              seconds tolerance) {
  const auto first = schedule.next(after);
  if (!first || *first > now) return {};
  const auto last = schedule.previous(now).value_or(*first);
  if (policy == Misfire::kAll) return every(schedule, *first, last, now, tolerance);
  if (policy == Misfire::kSkip && now - last > tolerance)
    return {missed(schedule, *first, last, fmt::format("more than {} late; misfire: skip", spoken(tolerance)))};
  return newest(schedule, *first, last, now, policy, tolerance);
}

}  // namespace pipekit
