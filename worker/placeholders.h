// `{name}` in a source query (CONTRACT.md): name as in [A-Za-z_][A-Za-z0-9_]*, `{{` and `}}` write literal braces,
// other braces are left alone. Values are put in as they are, as text: quoting is the query's business. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"

namespace pipekit::worker {

// Each name once, in the order of first use.
std::vector<std::string> placeholders_in(std::string_view text);

// kInvalid for a placeholder without a value and for a value without a placeholder; the message names all of them.
Result<std::string> substitute(std::string_view text, const std::map<std::string, std::string>& values);

}  // namespace pipekit::worker
