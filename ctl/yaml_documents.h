// YAML::LoadAll, also of texts with which it never ends. Pure.
#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

namespace pipekit::ctl {

// Throws YAML::Exception, with the line, for what is no YAML.
std::vector<YAML::Node> yaml_documents(const std::string& text);

}  // namespace pipekit::ctl
