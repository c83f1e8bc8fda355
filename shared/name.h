// What a name may look like, for everything that people name: connections, modules, groups, tags, workers, keys. Two
// names that look the same are the same, and a terminal shows each as it is. Pure, thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pipekit {

// The first character that no name may have, as "U+202E"; nullopt: there is none. These are controls (C0, C1, line and
// paragraph separators), those that change the direction of text, those that nobody sees, and bytes that are not UTF-8.
std::optional<std::string> forbidden_in_name(std::string_view text);

// An id may stand for a name where a command is typed, so a name that looks like an id could mean two objects.
bool is_only_digits(std::string_view text);

}  // namespace pipekit
