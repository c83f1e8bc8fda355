// Where the broker is and how to print: flag, PIPEKIT_ variable, configuration file, default, in this order. Pure
// except for reading the file. Errors are kUsage and say where the wrong value came from.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ctl/render.h"
#include "ctl/verb.h"
#include "shared/error.h"

namespace pipekit::ctl {

// One setting with its origin, for `config show`.
struct Setting {
  std::string key;  // "data_dir"
  std::string value;
  std::string source;  // "--data-dir", "PIPEKIT_DATA_DIR", the file, "default"
};

struct Config {
  std::string file;      // the configuration file; empty: none was given
  std::string endpoint;  // of the control socket
  std::string data_dir;  // empty unless the endpoint is a socket in it
  std::string key_file;
  std::string broker_key;
  std::string broker_user;
  Format format = Format::table;
  bool quiet = false;
  bool verbose = false;
  std::string log_level = "warning";
  std::string log_file;
  std::chrono::seconds timeout{10};
  bool timeout_given = false;
  std::vector<Setting> settings;  // all of them, with defaults
};

const std::vector<std::string>& log_levels();

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
Environment process_environment();

Result<Config> resolve_config(const Arguments& global, const Environment& environment);

// The settings of a file: a map of known keys to scalars.
Result<std::vector<Setting>> read_config_file(const std::string& path);

}  // namespace pipekit::ctl
