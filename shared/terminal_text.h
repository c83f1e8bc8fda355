// Text from elsewhere on its way to a terminal. Whatever could move the cursor, change colours or reorder what is read
// becomes its escape: ESC is shown as \u001b, U+202E as \u202e. Bytes that are not UTF-8 become U+FFFD. The form is
// that of JSON, so that a JSON text stays the same JSON text. Pure, thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pipekit {

struct CodePoint {
  uint32_t value = 0;
  size_t bytes = 1;
  bool valid = false;
};

// The character at the front of a text that is not empty; invalid: one byte that is part of no character.
CodePoint front_of(std::string_view text);

// Control characters (C0, DEL, C1), those that set the direction of text, line separators other than the newline, and
// characters that no font shows but some readers act on: annotations, tags, the byte order mark.
bool acts_on_terminal(uint32_t code_point);

// "\u001b"; beyond U+FFFF a pair, as in JSON.
std::string escape_of(uint32_t code_point);

// Several lines for people: newlines stay, CR LF becomes one, tabs become spaces.
std::string terminal_text(std::string_view text);

// The same for programs: tabs and CR LF stay.
std::string data_text(std::string_view text);

// One line: newlines, carriage returns and tabs become spaces.
std::string terminal_line(std::string_view text);

}  // namespace pipekit
