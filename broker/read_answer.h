// What the read thread does with a job, within a budget of time and in one snapshot of the store.
#pragma once

#include "broker/turn.h"

namespace pipekit {

// A job takes the thread from all other clients; what takes longer than this is refused.
inline constexpr std::chrono::seconds kReadBudget{5};

ReadOutcome answer_read(store::Database& db, ReadJob job, const TimeBudget& budget = {});

}  // namespace pipekit
