// chaos [--minutes M] [--seed S] [--plant NAME]: see script/chaos.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <random>

#include "tests/chaos/site.h"

namespace pipekit::test {
namespace {

int run(int argc, char** argv) {
  CLI::App app{"A broker and four workers under work, and something that goes wrong every second.", "chaos"};
  double minutes = 1;
  uint32_t seed = std::random_device{}();
  std::string plant;
  app.add_option("--minutes", minutes, "how long (1)")->check(CLI::Range(0.05, 1440.0));
  app.add_option("--seed", seed, "of what is asked for and what goes wrong; the rest is the machine's");
  app.add_option("--plant", plant, "a guard that the workers have broken, to see that it is noticed");
  CLI11_PARSE(app, argc, argv);

  fmt::print(stderr, "seed {}\n", seed);
  ChaosSite site(seed, plant);
  const SystemClock clock;
  const auto begun = clock.now();
  const auto end = begun + std::chrono::milliseconds{static_cast<int64_t>(minutes * 60'000)};
  int hurts = 0;
  for (auto next = begun + std::chrono::seconds{1}; clock.now() < end;) {
    site.work();
    if (clock.now() < next) continue;
    const auto at = std::chrono::floor<std::chrono::seconds>(clock.now() - begun).count();
    fmt::print(stderr, "{:4} s  {} runs  {}\n", at, site.runs(), site.hurt());
    ++hurts;
    next = clock.now() + std::chrono::seconds{1};
  }
  site.heal();
  const auto asked = site.runs();
  const auto wrong = site.verdict();
  for (const auto& line : wrong) fmt::print("WRONG  {}\n", line);
  fmt::print("{}: {} runs, {} faults; every run is final, every lock free, no event missing; {}\n",
             wrong.empty() ? "clean" : "NOT CLEAN", asked, hurts,
             wrong.empty() ? "every destination is what its source and its runs imply"
                           : fmt::format("{} destinations are not what their runs imply", wrong.size()));
  return wrong.empty() ? 0 : 1;
}

}  // namespace
}  // namespace pipekit::test

int main(int argc, char** argv) {
  try {
    return pipekit::test::run(argc, argv);
  } catch (const std::exception& fault) {
    fmt::print("NOT CLEAN: {}\n", fault.what());
    return 1;
  }
}
