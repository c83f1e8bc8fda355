// Where a setting's value comes from. CONTRACT.md: flag, variable, configuration file, default; the lower wins.
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
