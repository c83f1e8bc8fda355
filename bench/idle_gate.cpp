#include "bench/idle_gate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "bench/machine.h"

namespace pipekit::bench {
namespace {

constexpr double kLookSeconds = 0.4;
constexpr double kIdle = 0.08;  // of all processors

double ours() { return tree_cpu_s(::getpid()); }

}  // namespace

void IdleGate::wait() {
  while (waits_) {
    const double before = machine_cpu_s();
    const auto names = busiest(::getpid(), kLookSeconds);
    const double busy = (machine_cpu_s() - before) / kLookSeconds / processors();
    if (busy < kIdle) break;
    left_ -= std::chrono::duration<double>(kLookSeconds);
    if (left_.count() <= 0) {
      throw std::runtime_error(
          fmt::format("the machine is not idle: its processors are {:.0f} % busy with {}\n"
                      "hint: end that, or measure beside it with --no-wait",
                      busy * 100, names));
    }
    if (!told_) fmt::print(stderr, "waiting until the machine is idle: {:.0f} % busy with {}\n", busy * 100, names);
    told_ = true;
  }
  told_ = false;
  began_ = std::chrono::steady_clock::now();
  machine_before_ = machine_cpu_s();
  ours_before_ = ours();
}

double IdleGate::taken_by_others() const {
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began_;
  const double others = (machine_cpu_s() - machine_before_) - (ours() - ours_before_);
  return std::max(0.0, others) / std::max(wall.count() * processors(), 0.01);
}

}  // namespace pipekit::bench
