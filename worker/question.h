// A Task of the broker: tests a connection or previews a module, which changes nothing anywhere, or takes a fence over
// from another store. On a thread of its own, like an Executor, but without a lease.
#pragma once

#include "shared/clock.h"
#include "shared/protocol.h"
#include "worker/link.h"
#include "worker/runner.h"

namespace pipekit::worker {

TaskResult answer(const Task& task, const RunnerConfig& config, const Clock& clock, Link& link);

}  // namespace pipekit::worker
