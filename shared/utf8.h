// Bytes that claim to be UTF-8 (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF). Pure, thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pipekit {

// The number of bytes before the first that is not valid UTF-8; text.size() when all of it is.
size_t valid_utf8_prefix(std::string_view text);

inline bool is_valid_utf8(std::string_view text) { return valid_utf8_prefix(text) == text.size(); }

// Each byte that is part of no character becomes U+FFFD.
std::string to_utf8(std::string_view bytes);

}  // namespace pipekit
