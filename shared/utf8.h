// Bytes that claim to be UTF-8. Pure, thread-safe.
#pragma once

#include <string_view>

namespace pipekit {

// The number of bytes before the first that is not valid UTF-8 (overlong forms and surrogates are not); text.size()
// when all of it is.
size_t valid_utf8_prefix(std::string_view text);

inline bool is_valid_utf8(std::string_view text) { return valid_utf8_prefix(text) == text.size(); }

}  // namespace pipekit
