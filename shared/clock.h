// Two times that must not be mixed. MonoTime is CLOCK_BOOTTIME: for leases and deadlines; it advances while the host
// sleeps, and means nothing to another process or host. WallTime is UTC in milliseconds, for people and the store; it
// may jump.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace pipekit {

struct BootClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<BootClock>;
  static constexpr bool is_steady = true;
};

using MonoTime = BootClock::time_point;
using Millis = std::chrono::milliseconds;
using WallTime = std::chrono::sys_time<Millis>;

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual MonoTime now() const = 0;
  [[nodiscard]] virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  [[nodiscard]] MonoTime now() const override;
  [[nodiscard]] WallTime wall() const override;
};

// "2026-03-01T02:20:00.000Z", the only form of a time in JSON and in the store's text.
std::string to_iso(WallTime t);
inline int64_t to_ms(WallTime t) { return t.time_since_epoch().count(); }
inline WallTime from_ms(int64_t ms) { return WallTime{Millis{ms}}; }

}  // namespace pipekit
