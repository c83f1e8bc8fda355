// Quotes names and values for scripts. Whatever the text is, the result is one token of the engine's SQL. (SQL cannot
// contain NUL: a script with one ends there and does not parse.)
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pipekit::worker {

std::string quote_identifier(std::string_view name);

// '...' with quotes doubled, for engines where a backslash is an ordinary character.
std::string quote_literal(std::string_view text);
// E'...' if the text has a backslash, so that standard_conforming_strings does not matter.
std::string quote_literal_escaping(std::string_view text);

// "a", "b" — with an alias: s."a", s."b".
std::string column_list(const std::vector<std::string>& columns, std::string_view alias = {});

std::string ascii_lower(std::string_view text);

}  // namespace pipekit::worker
