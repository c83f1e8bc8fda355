#include "tests/simulation/world.h"

#include <cstdio>

namespace pipekit::simulation {

bool World::step(MonoTime until) {
  if (failure_ || events_.empty() || events_.top().when > until) return false;
  now_ = events_.top().when;
  const auto what = events_.top().what;
  events_.pop();
  ++steps_;
  what();
  return !failure_;
}

void World::broken(std::string promise) {
  if (failure_) return;
  note("BROKEN: {}", promise);
  failure_ = std::move(promise);
}

void World::write(std::string line) {
  const auto ms = std::chrono::floor<Millis>(now_ - MonoTime{std::chrono::hours{1}}).count();
  auto text = fmt::format("{:>8}.{:03} s  {}", ms / 1000, ms % 1000, line);
  if (tell_) {
    std::puts(text.c_str());
    return;
  }
  trace_.push_back(std::move(text));
  if (trace_.size() > kKept) trace_.pop_front();
}

}  // namespace pipekit::simulation
