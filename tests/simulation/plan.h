// The parts of a seed's world, drawn once at the beginning.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/simulation/promises.h"

namespace pipekit::simulation {

struct Plan {
  Millis lease{60'000};
  MonoTime::duration duration{};  // of the faults
  MonoTime::duration bound{};     // after everything is healed: all runs must have ended
  int64_t badness = 0;            // of the faults, in a thousand
  int64_t pause_ms = 1000;        // at most, between two commands
  std::vector<std::string> servers;
  std::vector<SimulatedModule> modules;
  std::vector<std::string> groups;
  std::map<std::string, int64_t> sessions_of;
  std::vector<SimulatedWorker::Config> workers;
  Json document;  // the definitions, for apply

  // A client's command; `number` is unique to it.
  std::pair<std::string, Json> any_command(Random& random, int64_t number) const;
};

Plan make_plan(Random& random);

}  // namespace pipekit::simulation
