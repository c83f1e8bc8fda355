#include "shared/say.h"

#include <cstdio>

#include "shared/terminal_text.h"

namespace pipekit {

void say(std::string_view text) {
  const auto shown = terminal_text(text);
  std::fwrite(shown.data(), 1, shown.size(), stderr);
  std::fflush(stderr);
}

}  // namespace pipekit
