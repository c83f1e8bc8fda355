// Writes to stderr for people, as far as that is possible: a full disk or a reader that has gone must not change how a
// process ends, so nothing is reported or thrown. Control characters are shown as escapes (terminal_text.h). Any
// thread.
#pragma once

#include <string_view>

namespace pipekit {

void say(std::string_view text);

}  // namespace pipekit
