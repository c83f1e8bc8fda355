// next_fire_at of schedules and of groups as they are shown. Pure.
#pragma once

#include "broker/schedule.h"
#include "shared/protocol.h"

namespace pipekit {

// A schedule as it stands in the store's rows.
Result<Schedule> schedule_from(const Json& row);

// Of each; null where it is disabled.
void add_next_fire(Json& schedules, FireTime now);
// Also of the group: the earliest.
void add_next_fire_of_group(Json& group, FireTime now);

}  // namespace pipekit
