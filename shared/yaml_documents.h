// YAML::LoadAll, also of texts with which it never ends, or which it takes for whole though they were cut off. Pure.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

namespace pipekit {

// Throws YAML::Exception, with the line, for what is no YAML.
std::vector<YAML::Node> yaml_documents(const std::string& text);

}  // namespace pipekit
