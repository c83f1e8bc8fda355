// PostgreSQL's COPY text format: a line a row, tabs between, \N for NULL, backslash escapes. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pipekit::jrunner {

inline constexpr std::string_view kCopyNull = "\\N";

void append_copy_text(std::string_view value, std::string& out);
// As the input of a bytea column: \x and hexadecimal digits, its backslash escaped.
void append_copy_bytes(std::string_view bytes, std::string& out);

// Takes the next field, still escaped, from the front of a line without its end; false when the line is used up.
// Begin with `line` as a whole and `first` true.
class CopyLineReader {
 public:
  explicit CopyLineReader(std::string_view line) : rest_(line) {}
  // The next field, still escaped; nothing after the last.
  std::optional<std::string_view> next();

 private:
  std::string_view rest_;
  bool done_ = false;
};

void append_unescaped(std::string_view field, std::string& out);
// The bytes of "\x0102", unescaped already; false when it is no such text.
bool append_hex_bytes(std::string_view text, std::string& out);

}  // namespace pipekit::jrunner
