// Bytes of a child's output -> lines that are safe to store, send and print. Pure; one per stream.
//
// A line is valid UTF-8 without control characters except tab (what is not becomes U+FFFD) and without terminal escape
// sequences: complete ones are removed, an incomplete one is a control character and text. A line ends with a newline,
// or a carriage return and a newline. A carriage return alone begins the line again, as a progress bar does: what was
// there is a state of the line, replaced by the text that follows; the line that is delivered is the last state.
//
// A line has at most kMaxLine bytes: a longer one is cut between characters and ends in "… [N bytes cut]", N being the
// bytes of it that were dropped. Memory is bounded by two lines, whatever arrives, and the lines do not depend on how
// the bytes were cut into chunks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace pipekit::worker {

class LineSplitter {
 public:
  static constexpr std::size_t kMaxLine = std::size_t{64} * 1024;  // the marker comes on top
  static constexpr std::size_t kMaxState = 1024;
  using Sink = std::function<void(std::string line)>;

  explicit LineSplitter(std::size_t max_line = kMaxLine) : max_line_(max_line) {}

  void feed(std::string_view bytes, const Sink& sink);
  // At EOF: delivers the last line when it had no newline.
  void finish(const Sink& sink);

  // Whether take_state() has something to tell: the unfinished line has had a carriage return, and changed since.
  [[nodiscard]] bool has_state() const { return rewritten_ && changed_; }
  // The beginning of the unfinished line as it is now.
  std::optional<std::string> take_state();

 private:
  // Where in an escape sequence the next character is.
  enum class Escape {
    none,
    begun,         // after ESC
    intermediate,  // after ESC and a character from blank to '/'
    control,       // in a control sequence, which ends with a character from '@' to '~'
    text,          // in a command with text (OSC, DCS and the like), which ends with BEL or ST
    text_escape,   // there, after an ESC that may begin ST
  };

  void take(std::string_view bytes);
  void take_byte(unsigned char byte);
  void begin_sequence(unsigned char lead);
  void continue_sequence(unsigned char byte);
  void flush_partial();
  void put(std::string_view character, int code, std::size_t raw_bytes);
  void put_plainly(std::string_view character, int code, std::size_t raw_bytes);
  void begin_escape(Escape kind, std::size_t raw_bytes);
  void hold(std::string_view character, std::size_t raw_bytes);
  void give_up_escape();
  void return_to_begin();
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
  Escape escape_ = Escape::none;
  std::size_t introducer_ = 0;  // bytes of the ESC or C1 character that began it
  std::string held_;            // its text so far
  uint64_t held_cut_ = 0;
  bool returned_ = false;   // a carriage return was the last thing that can be seen
  bool rewritten_ = false;  // there was one in this line
  bool changed_ = false;
  bool in_line_ = false;
};

}  // namespace pipekit::worker
