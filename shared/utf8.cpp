#include "shared/utf8.h"

#include <cstdint>

namespace pipekit {
namespace {

struct Form {
  size_t length;
  uint32_t smallest;  // less than this is an overlong form
  uint32_t bits;      // of the first byte
};

Form form_of(uint8_t first) {
  if (first < 0x80) return {1, 0, first};
  if ((first & 0xe0U) == 0xc0) return {2, 0x80, first & 0x1fU};
  if ((first & 0xf0U) == 0xe0) return {3, 0x800, first & 0x0fU};
  if ((first & 0xf8U) == 0xf0) return {4, 0x10000, first & 0x07U};
  return {0, 0, 0};
}

size_t character_length(std::string_view rest) {
  const auto [length, smallest, bits] = form_of(static_cast<uint8_t>(rest[0]));
  if (length == 0 || length > rest.size()) return 0;
  uint32_t code = bits;
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<uint8_t>(rest[i]);
    if ((byte & 0xc0U) != 0x80) return 0;
    code = code << 6U | (byte & 0x3fU);
  }
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  return code < smallest || surrogate || code > 0x10ffff ? 0 : length;
}

}  // namespace

size_t valid_utf8_prefix(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const auto length = character_length(text.substr(at));
    if (length == 0) break;
    at += length;
  }
  return at;
}

}  // namespace pipekit
