// YAML::LoadAll, but for texts with which it never ends, which it takes for whole though they were cut off, or of which
// it makes what is no text. Pure.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

namespace pipekit {

// Throws YAML::Exception, with the line, for what is no YAML.
std::vector<YAML::Node> yaml_documents(const std::string& text);

}  // namespace pipekit
