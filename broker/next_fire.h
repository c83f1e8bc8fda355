// Of schedules and groups as they are shown: next_fire_at, and does_not_fire, the reason why an enabled schedule has no
// next time. Pure, except that it reads the host's time zones.
#pragma once

#include "broker/schedule.h"
#include "shared/protocol.h"

namespace pipekit {

// A schedule from a row of the store.
Result<Schedule> schedule_from(const Json& row);

// Of each; both null where it is disabled.
void add_next_fire(Json& schedules, FireTime now);
// Also of the group: the earliest time, and all reasons.
void add_next_fire_of_group(Json& group, FireTime now);

}  // namespace pipekit
