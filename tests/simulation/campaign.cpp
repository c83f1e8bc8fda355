#include "tests/simulation/campaign.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <map>

#include "shared/planted_fault.h"
#include "tests/simulation/scenario.h"

namespace pipekit::simulation {
namespace {

using Clock = std::chrono::steady_clock;

void tell_failure(const History& history, bool traced) {
  if (!traced) {
    for (const auto& line : history.trace) std::puts(line.c_str());
  }
  fmt::print("seed {} breaks a promise: {}\nsee it again with: {}\n", history.seed, *history.broken,
             replay_command(history.seed));
}

}  // namespace

int Campaign::run() const {
  const PlantedFault planted(fault);
  const auto began = Clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(Clock::now() - began).count(); };
  std::map<std::string, int64_t> counts;
  int64_t done = 0;
  const auto most = seeds ? *seeds : (minutes ? INT64_MAX : 100);
  for (; done < most && (!minutes || seconds() < 60.0 * static_cast<double>(*minutes)); ++done) {
    const auto history = simulate(first + static_cast<uint64_t>(done), trace);
    counts["steps"] += history.steps;
    for (const auto& [what, count] : history.counts) counts[what] += count;
    if (history.broken) {
      tell_failure(history, trace);
      return 1;
    }
    if (::isatty(STDOUT_FILENO) != 0) fmt::print("\r{} seeds, {:.0f} s", done + 1, seconds());
    std::fflush(stdout);
  }
  fmt::print("\r{} seeds from {} on, {:.1f} s: no promise was broken\n", done, first, seconds());
  for (const auto& [what, count] : counts) fmt::print("  {:>10}  {}\n", count, what);
  return 0;
}

}  // namespace pipekit::simulation
