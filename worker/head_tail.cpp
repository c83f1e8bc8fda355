#include "worker/head_tail.h"

#include <fmt/format.h>

namespace pipekit::worker {

// The head ends before the first line that does not fit: a shorter line after it would hide the gap.
void HeadTail::add_line(std::string_view line) {
  const auto size = line.size() + 1;
  head_open_ = head_open_ && size <= head_room_;
  if (head_open_) {
    head_.append(line).push_back('\n');
    head_room_ -= size;
    return;
  }
  tail_.emplace_back(line).push_back('\n');
  tail_bytes_ += size;
  while (tail_bytes_ > tail_room_ && tail_.size() > 1) {
    elided_ += tail_.front().size();
    tail_bytes_ -= tail_.front().size();
    tail_.pop_front();
  }
}

std::string HeadTail::text() const {
  std::string result = head_;
  if (elided_ > 0) result += fmt::format("… {} bytes elided …\n", elided_);
  for (const auto& line : tail_) result += line;
  return result;
}

}  // namespace pipekit::worker
