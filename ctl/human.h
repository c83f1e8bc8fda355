// Numbers, durations and times in the form that people read, and back. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shared/clock.h"
#include "shared/error.h"

namespace pipekit::ctl {

std::string with_thousands(int64_t number);  // 1234567 -> "1,234,567"

// "850ms", "4.2s", "3m12s", "2h05m", "3d04h".
std::string duration_text(Millis duration);

// The same in whole seconds, for what is still in progress: "0s", "12s", "3m12s".
std::string elapsed_text(Millis duration);

// "2026-03-01 03:20:00 CET": in the time zone of this process (TZ, or that of the host), in whole seconds.
std::string local_text(WallTime time);

// "now", "8s ago", "2m ago", "5h ago", "3d ago"; "in 2m" for the future.
std::string ago_text(WallTime then, WallTime now);

// "2026-03-01T02:20:00.000Z"; seconds' fraction, seconds and even the time may be left out, as may the Z.
std::optional<WallTime> parse_iso(std::string_view text);

// --since: a time as above, or how long ago: "90s", "30m", "24h", "7d".
Result<WallTime> parse_since(std::string_view text, WallTime now);

}  // namespace pipekit::ctl
