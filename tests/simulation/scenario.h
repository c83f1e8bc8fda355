// One seed, one history: a broker, workers, clients and destinations; a few minutes of faults; then everything is
// healed, and must end within a bound.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace pipekit::simulation {

struct History {
  uint64_t seed = 0;
  std::optional<std::string> broken;  // the first broken promise
  std::deque<std::string> trace;      // its last lines
  std::map<std::string, int64_t> counts;
  int64_t steps = 0;
};

// `tell`: print the trace as it happens.
History simulate(uint64_t seed, bool tell = false);

// The command that replays it.
std::string replay_command(uint64_t seed);

}  // namespace pipekit::simulation
