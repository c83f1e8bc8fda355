// What every schedule promises, whatever its expression and its zone.
#pragma once

#include <algorithm>

#include "broker/schedule.h"
#include "tests/fuzz/input.h"

namespace pipekit::fuzz {

inline void walk(const Schedule& schedule, FireTime after) {
  const auto next = schedule.next(after);
  if (!next) return;
  require(*next > after && *next <= after + Schedule::kHorizon, "the next time lies ahead, within the horizon");
  require(schedule.count(after, *next) == 1, "it is the only one up to itself");
  require(schedule.previous(*next) == next, "it is the last one at itself");
  const auto before = schedule.previous(*next - std::chrono::seconds{1});
  require(!before || *before <= after, "no other lies between");
  require(schedule.due(after, *next, 2) == std::vector{*next}, "it alone is due");
  const auto few = schedule.upcoming(after, 3);
  require(!few.empty() && few.front() == *next && std::ranges::is_sorted(few), "it is the first to come");
  require(schedule.count(after, few.back()) == static_cast<int64_t>(few.size()), "as many are counted as are listed");
}

}  // namespace pipekit::fuzz
