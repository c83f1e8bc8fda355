#include "worker/jrunner/copy_text.h"

#include <array>

namespace pipekit::jrunner {
namespace {

// The letter that stands for a character after a backslash, or 0.
constexpr std::array<char, 256> make_escapes() {
  std::array<char, 256> table{};
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['\v'] = 'v';
  table['\\'] = '\\';
  return table;
}
constexpr auto kEscapes = make_escapes();

char unescaped(char letter) {
  switch (letter) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return letter;
  }
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void append_copy_text(std::string_view value, std::string& out) {
  size_t plain = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    const char letter = kEscapes[static_cast<unsigned char>(value[i])];
    if (letter == 0) continue;
    out.append(value, plain, i - plain);
    out += '\\';
    out += letter;
    plain = i + 1;
  }
  out.append(value, plain);
}

void append_copy_bytes(std::string_view bytes, std::string& out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\\\x";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
}

std::optional<std::string_view> CopyLineReader::next() {
  if (done_) return std::nullopt;
  const auto tab = rest_.find('\t');
  const auto field = rest_.substr(0, tab);
  done_ = tab == std::string_view::npos;
  if (!done_) rest_.remove_prefix(tab + 1);
  return field;
}

// A server's output has no octal or hexadecimal escapes, so there are none here.
void append_unescaped(std::string_view field, std::string& out) {
  for (size_t at = 0; at < field.size();) {
    const auto backslash = field.find('\\', at);
    if (backslash == std::string_view::npos || backslash + 1 == field.size()) {
      out.append(field, at);
      return;
    }
    out.append(field, at, backslash - at);
    out += unescaped(field[backslash + 1]);
    at = backslash + 2;
  }
}

bool append_hex_bytes(std::string_view text, std::string& out) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) return false;
  for (size_t i = 2; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high * 16 + low);
  }
  return true;
}

}  // namespace pipekit::jrunner
