// Placeholders in SQL: {name}, name as in [A-Za-z_][A-Za-z0-9_]*. "{{" and "}}" write literal braces, any other brace
// is left alone. Read from left to right, so "{{{a}}}" is a brace, the value of a, a brace. Pure, thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"

namespace pipekit {

bool is_placeholder_name(std::string_view text);

// Each name once, in the order in which they first appear.
std::vector<std::string> placeholders_in(std::string_view text);

// kInvalid for a placeholder without a value and for a value without a placeholder, all of them named. Values go in
// as they are: what looks like a placeholder inside a value is not one.
Result<std::string> substitute(std::string_view text, const std::map<std::string, std::string>& values);

}  // namespace pipekit
