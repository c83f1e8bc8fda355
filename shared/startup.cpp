#include "shared/startup.h"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>

#include "shared/config.h"
#include "shared/log_format.h"
#include "shared/log_level.h"
#include "shared/path.h"
#include "shared/say.h"

namespace pipekit {
namespace {

Result<void> give(CLI::Option& option, const std::string& source, const std::vector<std::string>& values) {
  const bool list = option.get_items_expected_max() > 1;
  if (!list && values.size() != 1) {
    return Error{ErrorCode::kUsage, fmt::format("{}: expected one value, not a list", source)};
  }
  try {
    for (const auto& value : values) option.add_result(value);
    if (!values.empty()) option.run_callback();
    return {};
  } catch (const CLI::ConversionError&) {
    return Error{ErrorCode::kUsage, fmt::format("{}: \"{}\" is not a number", source, values.front())};
  }
}

std::string reason(const CLI::ParseError& error) {
  const std::string text = error.what();
  const auto at = text.find(": At Most 1 required");  // CLI11's words for an option that is repeated
  return at == std::string::npos ? text : text.substr(0, at) + " is given more than once";
}

}  // namespace

int report(const Error& error) {
  say(fmt::format("error: {}\n", error.message));
  if (!error.hint.empty()) say(fmt::format("hint: {}\n", error.hint));
  return exit_code(error.code);
}

std::string variable_of(const std::string& flag) {
  std::string name = "PIPEKIT_";
  for (const char c : flag.substr(flag.find_first_not_of('-'))) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

CLI::Option* Options::remember(const std::string& key, CLI::Option* option, std::string* path) {
  entries_.push_back({key, option, path});
  return option;
}

CLI::Option* Options::add(const std::string& key, const std::string& flag, std::string& into,
                          const std::string& about) {
  return remember(key, app_.add_option(flag, into, about));
}
CLI::Option* Options::add_path(const std::string& key, const std::string& flag, std::string& into,
                               const std::string& about) {
  return remember(key, app_.add_option(flag, into, about), &into);
}
CLI::Option* Options::add(const std::string& key, const std::string& flag, std::vector<std::string>& into,
                          const std::string& about) {
  return remember(key, app_.add_option(flag, into, about)->take_all());
}
CLI::Option* Options::add(const std::string& key, const std::string& flag, int64_t& into, const std::string& about) {
  return remember(key, app_.add_option(flag, into, about));
}
CLI::Option* Options::add(const std::string& key, const std::string& flag, double& into, const std::string& about) {
  return remember(key, app_.add_option(flag, into, about));
}

Result<void> Options::add_variables() {
  for (auto& entry : entries_) {
    const auto flag = entry.option->get_name();
    if (entry.option->count() > 0) {
      entry.origin = Origin::flag;
      entry.source = flag;
      continue;
    }
    const auto variable = variable_of(flag);
    const char* value = std::getenv(variable.c_str());  // one thread
    if (value == nullptr || *value == '\0') continue;
    entry.origin = Origin::variable;
    entry.source = variable;
    if (auto given = give(*entry.option, variable, {value}); !given) return given;
  }
  return {};
}

Result<void> Options::add_file(const std::string& file) {
  std::vector<std::string> known;
  std::vector<std::string> maps;
  for (const auto& entry : entries_) {
    known.push_back(entry.key);
    if (entry.option->get_type_name().find('=') != std::string::npos) maps.push_back(entry.key);
  }
  const auto values = read_config(file, known, maps);
  if (!values) return values.error();
  for (auto& entry : entries_) {
    const auto found = values->find(entry.key);
    if (found == values->end() || entry.option->count() > 0) continue;
    entry.origin = Origin::file;
    entry.source = fmt::format("{}: {}", file, entry.key);
    if (auto given = give(*entry.option, entry.source, found->second); !given) return given;
  }
  return {};
}

Result<void> Options::resolve_paths() {
  for (const auto& entry : entries_) {
    if (entry.path == nullptr || entry.origin == Origin::fallback) continue;
    auto path = full_path({*entry.path, entry.origin, entry.source});
    if (!path) return path.error();
    *entry.path = *path;
  }
  return {};
}

std::optional<int> Options::parse(int argc, const char* const* argv) {
  auto* config = app_.add_option("--config", config_, "YAML file with these options as keys");
  const auto end_with = [](const Error& error) { return std::optional(report(error)); };
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Only for the help: CLI11 does not distinguish a variable's value from a flag's.
    for (const auto& entry : entries_) entry.option->envname(variable_of(entry.option->get_name()));
    config->envname("PIPEKIT_CONFIG");
    if (error.get_exit_code() == 0) return app_.exit(error);
    return end_with({ErrorCode::kUsage, reason(error), app_.get_name() + " --help lists the options"});
  }
  if (auto added = add_variables(); !added) return end_with(added.error());
  const char* variable = std::getenv("PIPEKIT_CONFIG");  // one thread
  const bool by_flag = config->count() > 0;
  if (!by_flag && variable != nullptr) config_ = variable;
  auto file = full_path({config_, by_flag ? Origin::flag : Origin::variable, by_flag ? "--config" : "PIPEKIT_CONFIG"});
  if (!file) return end_with(file.error());
  if (!file->empty()) {
    if (auto added = add_file(*file); !added) return end_with(added.error());
  }
  if (auto resolved = resolve_paths(); !resolved) return end_with(resolved.error());
  return std::nullopt;
}

Given Options::given(const std::string& key, const std::string& value) const {
  const auto found = std::ranges::find(entries_, key, &Entry::key);
  return {value, found->origin, found->source};
}

Result<void> open_log(const std::string& name, const std::string& level) {
  if (!is_log_level(level)) {
    return Error{ErrorCode::kUsage, fmt::format("--log-level {}: unknown level", level),
                 fmt::format("one of {}", kLogLevelWords)};
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt(name));
  spdlog::set_formatter(log_formatter());
  spdlog::set_level(spdlog::level::from_str(level));
  return {};
}

}  // namespace pipekit
