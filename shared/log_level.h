// The levels of every program's log. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace pipekit {

// "warn" and "warning" are one.
inline constexpr auto kLogLevels =
    std::to_array<std::string_view>({"trace", "debug", "info", "warning", "warn", "error", "off"});
inline constexpr auto kLogLevelWords = "trace, debug, info, warning, error, off";

inline bool is_log_level(std::string_view level) { return std::ranges::find(kLogLevels, level) != kLogLevels.end(); }

}  // namespace pipekit
