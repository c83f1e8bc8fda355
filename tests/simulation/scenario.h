// One seed, one history: a broker, workers, clients and destinations, some minutes of faults, then healing, and the
// bound within which everything must have ended.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace pipekit::simulation {

struct History {
  uint64_t seed = 0;
  std::optional<std::string> broken;  // the first promise that was
  std::deque<std::string> trace;      // its last lines
  std::map<std::string, int64_t> counts;
  int64_t steps = 0;
};

// `tell`: prints the trace as it happens.
History simulate(uint64_t seed, bool tell = false);

// What to type to see it again.
std::string replay_command(uint64_t seed);

}  // namespace pipekit::simulation
