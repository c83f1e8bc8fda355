// YAML::LoadAll, but it refuses what YAML reads differently from what was written, or yaml-cpp differently from other
// readers: texts with which it never ends, texts that were cut off, escapes that become no character, tags, and line
// breaks that only some versions of YAML know. Pure.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

namespace pipekit {

// Throws YAML::Exception, with the line, for what is not YAML or is refused.
std::vector<YAML::Node> yaml_documents(const std::string& text);

// How this null of the text was written: null, ~, Null or NULL; empty where nothing was, as after a key without a
// colon.
std::string null_as_written(const std::string& text, const YAML::Node& node);

}  // namespace pipekit
