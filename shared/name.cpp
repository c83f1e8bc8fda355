#include "shared/name.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shared/utf8.h"

namespace pipekit {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Unicode's Cc, Zl and Zp, its Bidi_Control, Default_Ignorable_Code_Point and interlinear annotations.
constexpr auto kForbidden = std::to_array<Range>({
    {0x0000, 0x001F}, {0x007F, 0x009F},   {0x00AD, 0x00AD},   {0x034F, 0x034F},   {0x061C, 0x061C},
    {0x115F, 0x1160}, {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x200B, 0x200F},   {0x2028, 0x202E},
    {0x2060, 0x206F}, {0x3164, 0x3164},   {0xFE00, 0xFE0F},   {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},
    {0xFFF0, 0xFFFB}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
});

// The character at the front of valid UTF-8, which is taken off.
char32_t take_character(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t character = length == 1 ? lead : lead & (0x7FU >> length);
  for (size_t i = 1; i < length; ++i) character = character << 6U | (static_cast<unsigned char>(text[i]) & 0x3FU);
  text.remove_prefix(length);
  return character;
}

}  // namespace

std::optional<std::string> forbidden_in_name(std::string_view text) {
  auto rest = text.substr(0, valid_utf8_prefix(text));
  const bool broken = rest.size() < text.size();
  while (!rest.empty()) {
    const auto character = take_character(rest);
    const auto* range = std::ranges::lower_bound(kForbidden, character, {}, &Range::last);
    if (range != kForbidden.end() && range->first <= character) {
      return fmt::format("U+{:04X}", static_cast<uint32_t>(character));
    }
  }
  return broken ? std::optional<std::string>("a byte that is not UTF-8") : std::nullopt;
}

bool is_only_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace pipekit
