// Reads the name of a table as a user writes it into its parts. Pure; knows quoting, not what an engine makes of the
// parts.
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

// The refusal of a name, for reasons that only the dialect knows.
Error bad_table_name(std::string_view written, std::string_view reason);

// A name that means the same unquoted: [a-z_][a-z0-9_]*. (Keywords are not looked at.)
bool is_plain(std::string_view name);
// The part as it stands in a canonical name: bare when plain, else quoted, so that "a.b" and a.b differ.
std::string canonical_part(std::string_view name);

}  // namespace pipekit::worker
