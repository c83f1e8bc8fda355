#include "shared/say.h"

#include <cstdio>

namespace pipekit {

void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

}  // namespace pipekit
