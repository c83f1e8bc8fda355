// The beginning and the end of a text of any length, in bounded memory and in whole lines: what run_log keeps of a
// child's output. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace pipekit::worker {

class HeadTail {
 public:
  // Bytes, newlines included. The last line is kept whole even where it alone is longer than the tail.
  HeadTail(std::size_t head_bytes, std::size_t tail_bytes) : head_room_(head_bytes), tail_room_(tail_bytes) {}

  // Without its newline.
  void add_line(std::string_view line);

  // Each line with its newline; between head and tail a line "… N bytes elided …" when N > 0.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] uint64_t elided_bytes() const { return elided_; }

 private:
  std::size_t head_room_;
  std::size_t tail_room_;
  bool head_open_ = true;
  std::string head_;
  std::deque<std::string> tail_;
  std::size_t tail_bytes_ = 0;
  uint64_t elided_ = 0;
};

}  // namespace pipekit::worker
