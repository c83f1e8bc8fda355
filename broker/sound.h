// What can be read, and still no worker or client of ours says: words and sizes that the store's constraints, the
// memory or a terminal would not bear. Pure; any thread.
#pragma once

#include <cstddef>

#include "shared/protocol.h"

namespace pipekit {

inline constexpr size_t kMostSteps = 1000;  // of one attempt; a worker has a dozen

bool is_sound(const Hello& hello);
bool is_sound(const Heartbeat& heartbeat);
bool is_sound(const Fact& fact);
bool is_sound(const Request& request);

}  // namespace pipekit
