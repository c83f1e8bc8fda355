// The bytes of one input, taken piece by piece, and require(), with which a target states what must hold. One thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace pipekit::fuzz {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  // 0 at the end of the input.
  uint8_t byte() {
    if (left_.empty()) return 0;
    const auto first = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    return first;
  }
  // Up to the next line end, which is consumed as well.
  std::string_view line() {
    const auto found = left_.substr(0, left_.find('\n'));
    left_.remove_prefix(std::min(found.size() + 1, left_.size()));
    return found;
  }
  std::string_view rest() { return left_; }

 private:
  std::string_view left_;
};

// libFuzzer saves the input that made the process abort.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

}  // namespace pipekit::fuzz
