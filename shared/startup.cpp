#include "shared/startup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>

#include "shared/config.h"
#include "shared/log_format.h"
#include "shared/say.h"

namespace pipekit {
namespace {

Result<void> give(CLI::Option& option, const std::string& file, const std::string& key,
                  const std::vector<std::string>& values) {
  const bool list = option.get_items_expected_max() > 1;
  if (!list && values.size() != 1) {
    return Error{ErrorCode::kUsage, fmt::format("{}: {}: expected one value, not a list", file, key)};
  }
  try {
    for (const auto& value : values) option.add_result(value);
    if (!values.empty()) option.run_callback();
    return {};
  } catch (const CLI::ConversionError&) {
    return Error{ErrorCode::kUsage, fmt::format("{}: {}: \"{}\" is not a number", file, key, values.front())};
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

Result<void> add_file_options(const std::string& file, const FileKeys& keys) {
  std::vector<std::string> known;
  std::vector<std::string> maps;
  for (const auto& [key, option] : keys) {
    known.push_back(key);
    if (option->get_type_name().find('=') != std::string::npos) maps.push_back(key);
  }
  const auto values = read_config(file, known, maps);
  if (!values) return values.error();
  for (const auto& [key, option] : keys) {
    const auto found = values->find(key);
    if (found == values->end() || option->count() > 0) continue;
    if (auto given = give(*option, file, key, found->second); !given) return given;
  }
  return {};
}

std::optional<int> parse_options(CLI::App& app, int argc, const char* const* argv, const std::string& config,
                                 const FileKeys& keys) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return report({ErrorCode::kUsage, reason(error), app.get_name() + " --help lists the options"});
  }
  if (config.empty()) return std::nullopt;
  if (auto added = add_file_options(config, keys); !added) return report(added.error());
  return std::nullopt;
}

Result<void> open_log(const std::string& name, const std::string& level) {
  constexpr auto kLevels = std::to_array<std::string_view>({"trace", "debug", "info", "warning", "error", "off"});
  if (std::ranges::find(kLevels, level) == kLevels.end()) {
    return Error{ErrorCode::kUsage, fmt::format("--log-level {}: there is no such level", level),
                 fmt::format("one of {}", fmt::join(kLevels, ", "))};
  }
  spdlog::set_default_logger(spdlog::stderr_logger_mt(name));
  spdlog::set_formatter(log_formatter());
  spdlog::set_level(spdlog::level::from_str(level));
  return {};
}

}  // namespace pipekit
