// The forms in which programs, drivers and servers repeat a value that they were given. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pipekit::worker {

// The value itself first, then its other forms, each once: percent-encoded, quotes doubled, escaped
// with backslashes or for the shell, JSON, XML, base64 of the whole.
std::vector<std::string> secret_forms(std::string_view secret);

}  // namespace pipekit::worker
