#include "broker/next_fire.h"

#include "shared/clock.h"

namespace pipekit {

Result<Schedule> schedule_from(const Json& row) {
  if (row.value("kind", "cron") == "interval") return Schedule::interval(std::chrono::seconds{row.value("every_s", 0)});
  return Schedule::cron(row.value("cron_expr", ""), row.value("timezone", "UTC"));
}

void add_next_fire(Json& schedules, FireTime now) {
  for (auto& row : schedules) {
    row["next_fire_at"] = nullptr;
    const auto schedule = schedule_from(row);
    if (!row.value("enabled", false) || !schedule) continue;
    if (const auto next = schedule->next(now)) row["next_fire_at"] = to_iso(WallTime{*next});
  }
}

void add_next_fire_of_group(Json& group, FireTime now) {
  add_next_fire(group["schedules"], now);
  group["next_fire_at"] = nullptr;
  for (const auto& row : group["schedules"]) {
    const auto& next = row["next_fire_at"];
    if (next.is_null()) continue;
    if (group["next_fire_at"].is_null() || next < group["next_fire_at"]) group["next_fire_at"] = next;
  }
}

}  // namespace pipekit
