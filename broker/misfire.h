// What happens to the scheduled times that have passed since a schedule was last considered: which fire now and which
// are missed. Pure: the broker passes the times in and writes the ledger, group runs and queue rows itself, in one
// transaction.
//
//   latest  the newest fires, however late it is; all before it are missed
//   skip    the newest fires if it is at most `tolerance` late; all else is missed
//   all     every one fires, oldest first; beyond the newest kMostFires they are missed
//
// Usually one time has passed, and it fires whatever the policy is. The outcomes are in order and each
// scheduled time is in exactly one of them. The caller may act on the first alone: a call with `after` =
// outcome.until_at then returns the others (with `all`, each may have to wait until the group is free).
//
// At most kMostFires + 1 outcomes, and the cost does not grow with the number of times missed.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/schedule.h"

namespace pipekit {

enum class Misfire { kLatest, kSkip, kAll };

// The word that definitions and the store use: "latest".
std::optional<Misfire> misfire_from(std::string_view word);
std::string_view to_string(Misfire policy);

inline constexpr size_t kMostFires = 1000;
// A restart or a busy turn is no reason to skip a time.
inline constexpr std::chrono::seconds kMisfireTolerance{60};

// One ledger row: `count` consecutive scheduled times, of which the first is nominal_at and the last until_at.
struct Outcome {
  bool fires = false;  // count is 1; else the row is `missed`
  FireTime nominal_at;
  FireTime until_at;
  int64_t count = 1;
  std::string reason{};  // of a missed row, and of a late fire
};

// The scheduled times in (after, now]. None when the clock went back and `now` is not after `after`.
std::vector<Outcome> consider(const Schedule& schedule, FireTime after, FireTime now, Misfire policy,
                              std::chrono::seconds tolerance = kMisfireTolerance);

}  // namespace pipekit
