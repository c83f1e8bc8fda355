#include "ctl/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>

#include "shared/config.h"
#include "shared/endpoint.h"
#include "shared/log_level.h"
#include "shared/path.h"

namespace pipekit::ctl {
namespace {

// The order is that of `config show`.
const std::vector<Setting>& defaults() {
  static const std::vector<Setting> kDefaults = {{"broker", "", "default"},
                                                 {"data_dir", "", "default"},
                                                 {"key_file", "", "default"},
                                                 {"broker_key", "", "default"},
                                                 {"broker_user", "pipekit-broker", "default"},
                                                 {"output", "table", "default"},
                                                 {"timeout", "10", "default"},
                                                 {"quiet", "false", "default"},
                                                 {"verbose", "false", "default"},
                                                 {"log_level", "warning", "default"},
                                                 {"log_file", "", "default"}};
  return kDefaults;
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys;
  for (const auto& setting : defaults()) keys.push_back(setting.key);
  return keys;
}

std::string flag_name(std::string key) {
  std::ranges::replace(key, '_', '-');
  return key;
}

std::string variable_name(std::string_view key) {
  std::string name = "PIPEKIT_";
  for (const char c : key) name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return name;
}

class Layers {
 public:
  Layers(const Arguments& flags, const Environment& environment, std::vector<Setting> file)
      : flags_(flags), environment_(environment), file_(std::move(file)) {}

  [[nodiscard]] std::optional<Setting> at(const std::string& key, Origin origin) const {
    if (origin == Origin::flag) {
      if (!flags_.has(flag_name(key))) return std::nullopt;
      return Setting{key, flags_.text(flag_name(key)), "--" + flag_name(key)};
    }
    if (origin == Origin::variable) {
      const auto value = environment_(variable_name(key));
      if (!value || value->empty()) return std::nullopt;
      return Setting{key, *value, variable_name(key)};
    }
    const auto found = std::ranges::find(file_, key, &Setting::key);
    return found == file_.end() ? std::nullopt : std::optional(*found);
  }

  [[nodiscard]] Setting value(const Setting& fallback) const {
    const auto found = given(fallback.key);
    return found.origin == Origin::fallback ? fallback : Setting{fallback.key, found.value, found.source};
  }

  [[nodiscard]] Given given(const std::string& key) const {
    for (const auto origin : {Origin::flag, Origin::variable, Origin::file}) {
      if (const auto setting = at(key, origin)) return {setting->value, origin, setting->source};
    }
    return {};
  }

 private:
  const Arguments& flags_;
  const Environment& environment_;
  std::vector<Setting> file_;
};

Error wrong(const Setting& setting, std::string_view wanted) {
  return {ErrorCode::kUsage,
          fmt::format("{} must be {}, not \"{}\" ({})", setting.key, wanted, setting.value, setting.source)};
}

Result<bool> truth(const Setting& setting) {
  if (setting.value == "true" || setting.value == "1") return true;
  if (setting.value == "false" || setting.value == "0") return false;
  return wrong(setting, "true or false");
}

Result<void> choose_endpoint(const Layers& layers, Config& config) {
  const auto broker = layers.given("broker");
  const auto dir = layers.given("data_dir");
  if (!broker.value.empty() && !check_endpoint(broker.value)) {
    return wrong({"broker", broker.value, broker.source}, "an endpoint: tcp://HOST:PORT or ipc://PATH");
  }
  const auto full_dir = full_path(dir);
  if (!full_dir) return full_dir.error();
  const Given data_dir{*full_dir, dir.origin, dir.source};
  auto endpoint = pipekit::choose_endpoint(Socket::control, broker, data_dir);
  if (!endpoint) return endpoint.error();
  config.endpoint = std::move(*endpoint);
  if (data_dir_decides(broker, data_dir)) config.data_dir = data_dir.value;
  return {};
}

Result<void> apply(const Setting& setting, Config& config) {
  if (setting.key == "output") {
    const auto format = format_from(setting.value);
    if (!format) return wrong(setting, "one of table, json, yaml, csv");
    config.format = *format;
  } else if (setting.key == "timeout") {
    const auto seconds = parse_integer(setting.value).value_or(0);
    if (seconds < 1 || seconds > 86'400) return wrong(setting, "a whole number of seconds from 1 to 86400");
    config.timeout = std::chrono::seconds{seconds};
    config.timeout_given = setting.source != "default";
  } else if (setting.key == "quiet" || setting.key == "verbose") {
    const auto on = truth(setting);
    if (!on) return on.error();
    (setting.key == "quiet" ? config.quiet : config.verbose) = *on;
  } else if (setting.key == "log_level") {
    if (!is_log_level(setting.value)) return wrong(setting, std::string("one of ") + kLogLevelWords);
    config.log_level = setting.value;
  } else if (setting.key == "key_file") {
    config.key_file = setting.value;
  } else if (setting.key == "broker_key") {
    config.broker_key = setting.value;
  } else if (setting.key == "broker_user") {
    config.broker_user = setting.value;
  } else if (setting.key == "log_file") {
    config.log_file = setting.value;
  }
  return {};
}

}  // namespace

const std::vector<std::string>& log_levels() {
  static const std::vector<std::string> kLevels(kLogLevels.begin(), kLogLevels.end());
  return kLevels;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());  // one thread
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

Result<std::vector<Setting>> read_config_file(const std::string& path) {
  const auto values = read_config(path, known_keys());
  if (!values) return values.error();
  std::vector<Setting> settings;
  for (const auto& [key, list] : *values) {
    if (list.size() != 1) {
      return Error{ErrorCode::kUsage, fmt::format("{}: {} must be one value, not a list", path, key)};
    }
    settings.push_back({key, list.front(), path});
  }
  return settings;
}

Result<Config> resolve_config(const Arguments& global, const Environment& environment) {
  std::vector<Setting> file;
  const bool by_flag = global.has("config");
  const auto path = full_path({by_flag ? global.text("config") : environment("PIPEKIT_CONFIG").value_or(""),
                               by_flag ? Origin::flag : Origin::variable, by_flag ? "--config" : "PIPEKIT_CONFIG"});
  if (!path) return path.error();
  if (!path->empty()) {
    auto read = read_config_file(*path);
    if (!read) return read.error();
    file = std::move(*read);
  }
  const Layers layers(global, environment, std::move(file));
  Config config;
  config.file = *path;
  if (auto chosen = choose_endpoint(layers, config); !chosen) return chosen.error();
  for (const auto& fallback : defaults()) {
    auto setting = layers.value(fallback);
    if (setting.key == "key_file" || setting.key == "log_file") {
      const auto given = layers.given(setting.key);
      const auto in_full = full_path({given.value, given.origin, given.source});
      if (!in_full) return in_full.error();
      setting.value = *in_full;
    }
    if (auto applied = apply(setting, config); !applied) return applied.error();
    if (setting.key == "broker" && setting.value != config.endpoint) {
      setting = {"broker", config.endpoint, config.data_dir.empty() ? "default" : "data_dir"};
    }
    config.settings.push_back(std::move(setting));
  }
  return config;
}

}  // namespace pipekit::ctl
