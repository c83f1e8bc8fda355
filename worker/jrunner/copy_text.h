// PostgreSQL's COPY text format: one line per row, tabs between fields, \N for NULL, backslash escapes. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pipekit::jrunner {

inline constexpr std::string_view kCopyNull = "\\N";

void append_copy_text(std::string_view value, std::string& out);
// As the input of a bytea column: \x and hexadecimal digits, its backslash escaped.
void append_copy_bytes(std::string_view bytes, std::string& out);

// Reads the fields of one line, which must not include its line end.
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
// The bytes of the unescaped text "\x0102"; false if it does not have this form.
bool append_hex_bytes(std::string_view text, std::string& out);

}  // namespace pipekit::jrunner
