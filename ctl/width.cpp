#include "ctl/width.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace pipekit::ctl {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "…";

struct Range {
  uint32_t first;
  uint32_t last;
};

constexpr auto kZeroWidth = std::to_array<Range>({{0x0300, 0x036F},
                                                  {0x0483, 0x0489},
                                                  {0x0591, 0x05BD},
                                                  {0x064B, 0x065F},
                                                  {0x200B, 0x200F},
                                                  {0x202A, 0x202E},
                                                  {0x2060, 0x2064},
                                                  {0x20D0, 0x20FF},
                                                  {0xFE00, 0xFE0F},
                                                  {0xFE20, 0xFE2F},
                                                  {0xFEFF, 0xFEFF},
                                                  {0xE0100, 0xE01EF}});

constexpr auto kWide = std::to_array<Range>({{0x1100, 0x115F},
                                             {0x2E80, 0x303E},
                                             {0x3041, 0x4DBF},
                                             {0x4E00, 0xA4CF},
                                             {0xA960, 0xA97C},
                                             {0xAC00, 0xD7A3},
                                             {0xF900, 0xFAFF},
                                             {0xFE30, 0xFE6F},
                                             {0xFF00, 0xFF60},
                                             {0xFFE0, 0xFFE6},
                                             {0x1F300, 0x1F64F},
                                             {0x1F680, 0x1F6FF},
                                             {0x1F900, 0x1F9FF},
                                             {0x20000, 0x3FFFD}});

template <size_t N>
bool within(const std::array<Range, N>& ranges, uint32_t point) {
  return std::ranges::any_of(ranges, [&](const Range& r) { return point >= r.first && point <= r.last; });
}

struct Character {
  uint32_t point = 0;
  size_t bytes = 1;
  bool valid = false;
};

size_t length_of(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

bool overlong_or_surrogate(uint32_t point, size_t bytes) {
  return (bytes == 3 && point < 0x800) || (bytes == 4 && (point < 0x10000 || point > 0x10FFFF)) ||
         (point >= 0xD800 && point <= 0xDFFF);
}

// The character at the front; text is not empty.
Character front(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t bytes = length_of(lead);
  if (bytes == 0 || bytes > text.size()) return {};
  if (bytes == 1) return {lead, 1, true};
  uint32_t point = lead & (0x7FU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xC0U) != 0x80) return {};
    point = (point << 6U) | (next & 0x3FU);
  }
  if (overlong_or_surrogate(point, bytes)) return {};
  return {point, bytes, true};
}

size_t columns(const Character& character) {
  if (!character.valid) return 1;
  if (within(kZeroWidth, character.point)) return 0;
  return within(kWide, character.point) ? 2 : 1;
}

bool is_control(uint32_t point) { return point < 0x20 || (point >= 0x7F && point < 0xA0); }

}  // namespace

size_t display_width(std::string_view text) {
  size_t width = 0;
  while (!text.empty()) {
    const auto character = front(text);
    width += columns(character);
    text.remove_prefix(character.bytes);
  }
  return width;
}

std::string cut(std::string_view text, size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return {};
  std::string kept;
  size_t used = 0;
  while (!text.empty()) {
    const auto character = front(text);
    used += columns(character);
    if (used > width - 1) break;
    kept.append(text.substr(0, character.bytes));
    text.remove_prefix(character.bytes);
  }
  return kept.append(kEllipsis);
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto character = front(text);
    if (!character.valid) {
      out.append(kReplacement);
    } else if (is_control(character.point)) {
      out.push_back(' ');
    } else {
      out.append(text.substr(0, character.bytes));
    }
    text.remove_prefix(character.bytes);
  }
  return out;
}

std::string printable_lines(std::string_view text) {
  std::string out;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    out += printable(text.substr(0, end)) + "\n  ";
    text.remove_prefix(end + 1);
  }
  return out + printable(text);
}

}  // namespace pipekit::ctl
