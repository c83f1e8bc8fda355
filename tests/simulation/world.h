// Simulated time: events in the order of their times; events with equal times in the order of their creation. Nothing
// sleeps; the clock jumps from event to event. Also the parts that everything in a world shares: randomness, trace,
// counters, and the first broken promise. One world at a time, one thread.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "shared/clock.h"
#include "tests/simulation/random.h"

namespace pipekit::simulation {

class World {
 public:
  // `tell`: print the trace as it grows instead of keeping its end.
  World(uint64_t seed, bool tell) : random(seed), tell_(tell) {}

  [[nodiscard]] MonoTime now() const { return now_; }
  // UTC, as a correct clock shows it.
  [[nodiscard]] WallTime wall() const { return kBegin + std::chrono::floor<Millis>(now_ - MonoTime{}); }
  void at(MonoTime when, std::function<void()> what) { events_.push({std::max(when, now_), ++made_, std::move(what)}); }
  void after(MonoTime::duration delay, std::function<void()> what) { at(now_ + delay, std::move(what)); }
  // Runs the next event; false if there is none, or if it is after `until`.
  bool step(MonoTime until);

  template <class... Args>
  void note(fmt::format_string<Args...> text, Args&&... args) {
    write(fmt::format(text, std::forward<Args>(args)...));
  }
  void count(const char* what) { ++counts_[what]; }
  // A promise is broken. Only the first one is kept; it ends the simulation.
  void broken(std::string promise);

  [[nodiscard]] const std::optional<std::string>& failure() const { return failure_; }
  [[nodiscard]] const std::map<std::string, int64_t>& counts() const { return counts_; }
  [[nodiscard]] const std::deque<std::string>& trace() const { return trace_; }
  [[nodiscard]] int64_t steps() const { return steps_; }

  Random random;

 private:
  static constexpr WallTime kBegin{Millis{1'772'330'400'000}};
  static constexpr size_t kKept = 300;
  struct Event {
    MonoTime when;
    int64_t order = 0;
    std::function<void()> what;
    bool operator<(const Event& other) const {  // the queue's top is the greatest
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  void write(std::string line);

  MonoTime now_{std::chrono::hours{1}};
  int64_t made_ = 0;
  int64_t steps_ = 0;
  bool tell_;
  std::priority_queue<Event> events_;
  std::map<std::string, int64_t> counts_;
  std::deque<std::string> trace_;
  std::optional<std::string> failure_;
};

// A host's clocks: the monotonic one has its own start, the wall clock may be set.
class HostClock final : public Clock {
 public:
  HostClock(const World& world, MonoTime::duration offset) : world_(world), offset_(offset) {}
  [[nodiscard]] MonoTime now() const override { return world_.now() + offset_; }
  [[nodiscard]] WallTime wall() const override { return world_.wall() + jump_; }
  [[nodiscard]] MonoTime in_world(MonoTime t) const { return t - offset_; }
  void jump(Millis by) { jump_ += by; }

 private:
  const World& world_;
  MonoTime::duration offset_;
  Millis jump_{0};
};

}  // namespace pipekit::simulation
