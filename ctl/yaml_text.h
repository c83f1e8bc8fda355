// Text as a YAML scalar that every reader, whatever its version of YAML, reads back as this text and nothing else.
// Pure.
#pragma once

#include <string>
#include <string_view>

namespace pipekit::ctl {

// Without quotes where that is safe, as a block where it has several lines, else in double quotes. `indent` is that of
// the lines of a block.
std::string yaml_text(std::string_view text, size_t indent);

// The same for a key: never a block.
std::string yaml_key(std::string_view text);

}  // namespace pipekit::ctl
