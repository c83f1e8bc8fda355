// Hundreds of histories, each from its seed.
#include <gtest/gtest.h>

#include "tests/simulation/scenario.h"

namespace pipekit::simulation {
namespace {

void play(uint64_t first, uint64_t count) {
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const auto history = simulate(seed);
    if (!history.broken) continue;
    std::string trace;
    for (const auto& line : history.trace) trace += line + "\n";
    FAIL() << trace << "seed " << seed << " breaks a promise: " << *history.broken
           << "\nsee it again with: " << replay_command(seed);
  }
}

TEST(Simulation, keeps_every_promise) { play(1, 200); }

}  // namespace
}  // namespace pipekit::simulation
