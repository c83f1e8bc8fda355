// Bytes of a child's output -> lines that are safe to store, send and print. Pure; one per stream.
//
// A line is valid UTF-8 without control characters except tab (what is not becomes U+FFFD), without its newline and a
// carriage return before it, and at most kMaxLine bytes: a longer one is cut between characters and ends in
// "… [N bytes cut]", N being the bytes of it that were dropped. Memory is bounded by one line, whatever arrives, and
// the lines do not depend on how the bytes were cut into chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace pipekit::worker {

class LineSplitter {
 public:
  static constexpr std::size_t kMaxLine = std::size_t{64} * 1024;  // the marker comes on top
  using Sink = std::function<void(std::string line)>;

  explicit LineSplitter(std::size_t max_line = kMaxLine) : max_line_(max_line) {}

  void feed(std::string_view bytes, const Sink& sink);
  // At EOF: delivers the last line when it had no newline.
  void finish(const Sink& sink);

 private:
  void take(std::string_view bytes);
  void take_byte(unsigned char byte);
  void begin_sequence(unsigned char lead);
  void continue_sequence(unsigned char byte);
  void flush_partial();
  void append(std::string_view character, std::size_t raw_bytes);
  void append_plain(std::string_view text);
  void end_line(const Sink& sink);

  std::size_t max_line_;
  std::string line_;
  std::string sequence_;        // a UTF-8 character not complete yet
  int missing_ = 0;             // continuation bytes it still needs
  unsigned char lower_ = 0x80;  // what the next of them may be
  unsigned char upper_ = 0xBF;
  uint64_t cut_ = 0;
  bool carriage_return_ = false;  // seen, and not known yet whether a newline follows
  bool in_line_ = false;
};

}  // namespace pipekit::worker
