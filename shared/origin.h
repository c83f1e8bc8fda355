// The origin of a setting's value. Flag before variable before configuration file before default (CONTRACT.md).
#pragma once

#include <string>

namespace pipekit {

enum class Origin { flag, variable, file, fallback };

struct Given {
  std::string value{};
  Origin origin = Origin::fallback;
  std::string source{};  // for messages: "--data-dir", "PIPEKIT_DATA_DIR", "/etc/pipekit/broker.yaml: data_dir"
};

}  // namespace pipekit
