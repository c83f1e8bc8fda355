// That the simulation can see: each guard broken on purpose is found within some seeds.
#include <gtest/gtest.h>

#include "shared/planted_fault.h"
#include "tests/simulation/scenario.h"

namespace pipekit::simulation {
namespace {

// How many seeds it took is in the test's output.
std::string found(const char* fault, uint64_t within) {
  const PlantedFault planted(fault);
  for (uint64_t seed = 1; seed <= within; ++seed) {
    const auto history = simulate(seed);
    if (!history.broken) continue;
    std::printf("%s: seed %d: %s\n", fault, static_cast<int>(seed), history.broken->c_str());
    return *history.broken;
  }
  return "nothing";
}

TEST(PlantedFault, fence_not_checked) { EXPECT_NE(found("fence_not_checked", 20), "nothing"); }

}  // namespace
}  // namespace pipekit::simulation
