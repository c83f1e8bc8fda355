#include "shared/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <fstream>
#include <iterator>

#include "shared/nearest.h"
#include "shared/yaml_documents.h"

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

// {NAME: VALUE} or {NAME: [VALUE, VALUE]} as "NAME=VALUE" each.
Result<std::vector<std::string>> entries_of(const std::string& file, const std::string& key, const YAML::Node& node) {
  std::vector<std::string> entries;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) return bad(file, entry.first.Mark().line, key + ": expected names with values");
    const auto name = entry.first.Scalar();
    const auto values = values_of(file, key + "." + name, entry.second);
    if (!values) return values.error();
    for (const auto& value : *values) entries.push_back(fmt::format("{}={}", name, value));
  }
  return entries;
}

Result<std::string> text_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  in.peek();  // a directory can be opened, but not read
  if (in.is_open() && !in.bad()) return std::string{std::istreambuf_iterator<char>{in}, {}};
  return Error{ErrorCode::kUsage, fmt::format("cannot read the configuration file {}", file)};
}

}  // namespace

Result<ConfigValues> read_config(const std::string& file, const std::vector<std::string>& known_keys,
                                 const std::vector<std::string>& maps) {
  const auto text = text_of(file);
  if (!text) return text.error();
  ConfigValues values;
  try {
    const auto documents = yaml_documents(*text);
    if (documents.size() > 1) return bad(file, documents[1].Mark().line, "a second document begins", "write one");
    if (documents.empty() || documents[0].IsNull()) return values;
    const auto& root = documents[0];
    if (!root.IsMap()) return bad(file, root.Mark().line, "expected keys with values");
    for (const auto& entry : root) {
      const auto key = entry.first.Scalar();
      const int line = entry.first.Mark().line;
      if (std::ranges::find(known_keys, key) == known_keys.end()) {
        return bad(file, line, fmt::format("unknown key \"{}\"", key), did_you_mean(key, known_keys));
      }
      const bool map = entry.second.IsMap() && std::ranges::find(maps, key) != maps.end();
      auto parsed = map ? entries_of(file, key, entry.second) : values_of(file, key, entry.second);
      if (!parsed) return parsed.error();
      if (!values.emplace(key, std::move(*parsed)).second) return bad(file, line, fmt::format("\"{}\" again", key));
    }
    return values;
  } catch (const YAML::ParserException& error) {
    return bad(file, error.mark.line, error.msg);
  }
}

}  // namespace pipekit
