// Splits a table name, as a user writes it, into its parts. Pure. It handles quoting; engines interpret the parts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"

namespace pipekit::worker {

struct NamePart {
  std::string text;  // without quotes, doubled ones undone
  bool quoted = false;
};

// One or two parts, `table` or `schema.table`, blanks around them allowed. `opening_quotes`: of `"`, `[` and a
// backtick, those with which a quoted part may begin. Anything else is kInvalid, and the message says what and where.
Result<std::vector<NamePart>> parse_table_name(std::string_view written, std::string_view opening_quotes);

// Refuses a name for a reason that only the dialect knows.
Error bad_table_name(std::string_view written, std::string_view reason);

// A name that needs no quotes: [a-z_][a-z0-9_]*. (Keywords are not checked.)
bool is_plain(std::string_view name);
// A part of a canonical name: bare if plain, else quoted, so that "a.b" and a.b differ.
std::string canonical_part(std::string_view name);

}  // namespace pipekit::worker
