#include "shared/terminal_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shared/utf8.h"

namespace pipekit {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

struct Range {
  uint32_t first;
  uint32_t last;
};

// The joiners U+200C and U+200D are not among them: words of Persian and Hindi, and emoji, are written with them.
constexpr auto kActing = std::to_array<Range>({{0x00, 0x1F},
                                               {0x7F, 0x9F},
                                               {0x061C, 0x061C},
                                               {0x180E, 0x180E},
                                               {0x200B, 0x200B},
                                               {0x200E, 0x200F},
                                               {0x2028, 0x202E},
                                               {0x2060, 0x206F},
                                               {0xFEFF, 0xFEFF},
                                               {0xFFF9, 0xFFFB},
                                               {0xFFFE, 0xFFFF},
                                               {0xE0000, 0xE007F}});

// Printable ASCII at the front: nearly all of what is printed.
size_t plain(std::string_view text) {
  const auto* end = std::ranges::find_if(text, [](unsigned char c) { return c < 0x20 || c > 0x7E; });
  return static_cast<size_t>(end - text.begin());
}

bool is_blank(uint32_t point) { return point == '\n' || point == '\r' || point == '\t'; }

template <class Blank>
std::string escaped(std::string_view text, Blank keep) {
  std::string out;
  out.reserve(text.size());
  for (;;) {
    const auto length = plain(text);
    out += text.substr(0, length);
    text.remove_prefix(length);
    if (text.empty()) return out;
    const auto character = front_of(text);
    if (!character.valid) {
      out += kReplacement;
    } else if (is_blank(character.value)) {
      keep(text, out);
    } else if (acts_on_terminal(character.value)) {
      out += escape_of(character.value);
    } else {
      out += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
}

}  // namespace

CodePoint front_of(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const auto lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (valid_utf8_prefix(text.substr(0, length)) < length || text.size() < length) return {};
  uint32_t point = lead & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) point = (point << 6U) | (byte(i) & 0x3FU);
  return {point, length, true};
}

bool acts_on_terminal(uint32_t point) {
  return std::ranges::any_of(kActing, [&](const Range& r) { return point >= r.first && point <= r.last; });
}

std::string escape_of(uint32_t point) {
  if (point <= 0xFFFF) return fmt::format("\\u{:04x}", point);
  const auto rest = point - 0x10000;
  return fmt::format("\\u{:04x}\\u{:04x}", 0xD800 + (rest >> 10U), 0xDC00 + (rest & 0x3FFU));
}

std::string terminal_text(std::string_view text) {
  return escaped(text, [](std::string_view rest, std::string& out) {
    if (rest[0] == '\n') out += '\n';
    if (rest[0] == '\t') out += ' ';
    if (rest[0] == '\r' && !rest.starts_with("\r\n")) out += escape_of('\r');
  });
}

std::string data_text(std::string_view text) {
  return escaped(text, [](std::string_view rest, std::string& out) {
    const bool alone = rest[0] == '\r' && !rest.starts_with("\r\n");
    out += alone ? escape_of('\r') : std::string(1, rest[0]);
  });
}

std::string terminal_line(std::string_view text) {
  return escaped(text, [](std::string_view, std::string& out) { out += ' '; });
}

}  // namespace pipekit
