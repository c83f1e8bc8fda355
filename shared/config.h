// A program's YAML configuration file: one flat map. Flags and variables take precedence (CONTRACT.md), so callers use
// it only for values that were not given there.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shared/error.h"

namespace pipekit {

using ConfigValues = std::map<std::string, std::vector<std::string>>;

// kUsage for an unreadable file, a syntax error, an unknown key (with the nearest known one and the line) or a value
// that is no scalar or list of scalars. The keys in `maps` may also be a map of those, each entry of which is one value
// "NAME=VALUE".
Result<ConfigValues> read_config(const std::string& file, const std::vector<std::string>& known_keys,
                                 const std::vector<std::string>& maps = {});

}  // namespace pipekit
