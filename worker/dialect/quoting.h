// Names and values as they stand in a script. Whatever the text, the result is one token of the engine's SQL. (A NUL
// cannot be written in SQL at all: a script with one is cut there and fails to parse.)
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pipekit::worker {

std::string quote_identifier(std::string_view name);

// '...' with quotes doubled: engines in which a backslash means itself.
std::string quote_literal(std::string_view text);
// E'...' where there is a backslash, so that it reads the same with standard_conforming_strings on and off.
std::string quote_literal_escaping(std::string_view text);

// "a", "b" — with an alias: s."a", s."b".
std::string column_list(const std::vector<std::string>& columns, std::string_view alias = {});

std::string ascii_lower(std::string_view text);

}  // namespace pipekit::worker
