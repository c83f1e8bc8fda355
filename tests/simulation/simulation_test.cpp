// Hundreds of histories, each from its seed; script/simulate plays as many as you like.
#include <gtest/gtest.h>

#include "tests/simulation/scenario.h"

namespace pipekit::simulation {
namespace {

// Printed for a failure: the end of the history, the promise, and how to replay it.
std::string story(const History& history) {
  std::string text;
  for (const auto& line : history.trace) text += line + "\n";
  return fmt::format("{}seed {} breaks a promise: {}\nsee it again with: {}", text, history.seed, *history.broken,
                     replay_command(history.seed));
}

TEST(Simulation, keeps_every_promise_in_any_history) {
  std::map<std::string, int64_t> counts;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const auto history = simulate(seed);
    ASSERT_FALSE(history.broken) << story(history);
    for (const auto& [what, count] : history.counts) counts[what] += count;
  }
  // Enough went wrong.
  for (const auto* what : {"broker killed",
                           "broker lost its power",
                           "broker stopped",
                           "broker stood still",
                           "power lost while writing",
                           "sync failed",
                           "disk full",
                           "clocks set",
                           "worker killed",
                           "worker stopped",
                           "worker drained",
                           "partitions",
                           "connections broken",
                           "frames delayed",
                           "frames doubled",
                           "requests resent",
                           "answers lost",
                           "sessions run on",
                           "sessions late",
                           "sessions broken",
                           "statements slow",
                           "servers restarted"}) {
    EXPECT_GT(counts[what], 0) << what;
  }
}

TEST(Simulation, replays_a_seed_exactly) {
  for (const uint64_t seed : {3, 26, 77}) {
    const auto first = simulate(seed);
    const auto again = simulate(seed);
    EXPECT_EQ(first.steps, again.steps);
    EXPECT_EQ(first.trace, again.trace);
    EXPECT_EQ(first.counts, again.counts);
  }
}

}  // namespace
}  // namespace pipekit::simulation
