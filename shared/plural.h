// "1 row", "3 rows", for messages to people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace pipekit {

inline std::string count_of(int64_t count, std::string_view noun) {
  return std::to_string(count) + ' ' + std::string(noun) + (count == 1 ? "" : "s");
}

}  // namespace pipekit
