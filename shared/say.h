// Words for people on stderr, as far as that is possible: what cannot be said there (nobody reads, no room) must not
// change how a process ends. fmt::print throws. Any thread.
#pragma once

#include <string_view>

namespace pipekit {

void say(std::string_view text);

}  // namespace pipekit
