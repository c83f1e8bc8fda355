// Whether bytes are UTF-8 (RFC 3629: no surrogates, no overlong forms, up to U+10FFFF), and what to do if not. Pure.
#pragma once

#include <string>
#include <string_view>

namespace pipekit {

bool is_utf8(std::string_view bytes);
// Each byte that is part of no character becomes U+FFFD.
std::string to_utf8(std::string_view bytes);

}  // namespace pipekit
