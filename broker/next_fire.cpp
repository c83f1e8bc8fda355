#include "broker/next_fire.h"

#include <fmt/format.h>

#include "shared/clock.h"

namespace pipekit {

Result<Schedule> schedule_from(const Json& row) {
  if (row.value("kind", "cron") == "interval") return Schedule::interval(std::chrono::seconds{row.value("every_s", 0)});
  return Schedule::cron(row.value("cron_expr", ""), row.value("timezone", "UTC"));
}

void add_next_fire(Json& schedules, FireTime now) {
  for (auto& row : schedules) {
    row["next_fire_at"] = nullptr;
    row["does_not_fire"] = nullptr;
    if (!row.value("enabled", false)) continue;
    const auto schedule = schedule_from(row);
    if (!schedule) {
      row["does_not_fire"] = schedule.error().message;
    } else if (const auto next = schedule->next(now)) {
      row["next_fire_at"] = to_iso(WallTime{*next});
    } else {
      row["does_not_fire"] = "no date of the next 100 years matches";
    }
  }
}

void add_next_fire_of_group(Json& group, FireTime now) {
  add_next_fire(group["schedules"], now);
  group["next_fire_at"] = nullptr;
  group["does_not_fire"] = nullptr;
  for (const auto& row : group["schedules"]) {
    const auto& next = row["next_fire_at"];
    if (!next.is_null() && (group["next_fire_at"].is_null() || next < group["next_fire_at"])) {
      group["next_fire_at"] = next;
    }
    const auto& reason = row["does_not_fire"];
    if (reason.is_null()) continue;
    const auto one = fmt::format("schedule {}: {}", row.value("id", int64_t{0}), reason.get<std::string>());
    auto& all = group["does_not_fire"];
    all = all.is_null() ? one : fmt::format("{}; {}", all.get<std::string>(), one);
  }
}

}  // namespace pipekit
