#include "shared/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include "shared/nearest.h"

namespace pipekit {
namespace {

Error bad(const std::string& file, int line, const std::string& reason, const std::string& hint = "") {
  return {ErrorCode::kUsage, fmt::format("{}:{}: {}", file, line + 1, reason), hint};
}

Result<std::vector<std::string>> values_of(const std::string& file, const std::string& key, const YAML::Node& node) {
  std::vector<std::string> values;
  if (node.IsScalar()) return std::vector{node.Scalar()};
  if (!node.IsSequence()) return bad(file, node.Mark().line, key + ": expected a value or a list of values");
  for (const auto& item : node) {
    if (!item.IsScalar()) return bad(file, item.Mark().line, key + ": expected a list of plain values");
    values.push_back(item.Scalar());
  }
  return values;
}

}  // namespace

Result<ConfigValues> read_config(const std::string& file, const std::vector<std::string>& known_keys) {
  ConfigValues values;
  try {
    const auto root = YAML::LoadFile(file);
    if (root.IsNull()) return values;
    if (!root.IsMap()) return bad(file, root.Mark().line, "expected keys with values");
    for (const auto& entry : root) {
      const auto key = entry.first.Scalar();
      const int line = entry.first.Mark().line;
      if (std::ranges::find(known_keys, key) == known_keys.end()) {
        return bad(file, line, fmt::format("unknown key \"{}\"", key), did_you_mean(key, known_keys));
      }
      auto parsed = values_of(file, key, entry.second);
      if (!parsed) return parsed.error();
      if (!values.emplace(key, std::move(*parsed)).second) return bad(file, line, fmt::format("\"{}\" again", key));
    }
    return values;
  } catch (const YAML::BadFile&) {
    return Error{ErrorCode::kUsage, fmt::format("cannot read the configuration file {}", file)};
  } catch (const YAML::ParserException& error) {
    return bad(file, error.mark.line, error.msg);
  }
}

}  // namespace pipekit
