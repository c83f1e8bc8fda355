// What can be decoded, and still no worker or client of ours says: words that the store's constraints or a terminal
// would not bear. Sizes are bounded in protocol.h. Pure; any thread.
#pragma once

#include <cstddef>

#include "shared/protocol.h"

namespace pipekit {

inline constexpr size_t kMostSteps = 1000;  // of one attempt; a worker has a dozen

bool is_sound(const Hello& hello);
bool is_sound(const Fact& fact);
bool is_sound(const Request& request);

}  // namespace pipekit
