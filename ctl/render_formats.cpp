// CSV and YAML.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "ctl/render.h"
#include "ctl/yaml_text.h"

namespace pipekit::ctl {
namespace {

// Booleans and numbers as JSON has them; lists and maps as JSON text; null is empty.
std::string csv_text(const Json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The declared ones are always there, so that a header does not depend on what the rows happen to have.
std::vector<std::string> all_fields(const std::vector<std::string>& declared, const Json& rows) {
  std::set<std::string> others;
  for (const auto& row : rows) {
    for (const auto& [name, value] : row.items()) others.insert(name);
  }
  auto fields = declared;
  for (const auto& name : declared) others.erase(name);
  fields.insert(fields.end(), others.begin(), others.end());
  return fields;
}

bool is_number(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return !text.empty() && text[0] >= '0' && text[0] <= '9' && error == std::errc{} && end == text.data() + text.size();
}

// Spreadsheets take these for the beginning of a formula, the full-width forms too.
bool begins_a_formula(std::string_view text) {
  constexpr auto kBeginnings =
      std::to_array<std::string_view>({"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"});
  return std::ranges::any_of(kBeginnings, [&](std::string_view one) { return text.starts_with(one); }) &&
         !is_number(text);
}

std::string csv_value(const std::string& value) {
  const auto text = begins_a_formula(value) ? "'" + value : value;
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

std::string yaml_scalar(const Json& value, size_t indent) {
  if (value.is_string()) return yaml_text(value.get_ref<const std::string&>(), indent);
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void write_yaml(const Json& value, size_t indent, std::string& out);

// After "key:" or "-": a scalar on the same line, else a block below.
void write_value(const Json& value, size_t indent, std::string& out) {
  if (value.is_structured() && !value.empty()) {
    out += "\n";
    write_yaml(value, indent, out);
  } else {
    out += " " + yaml_scalar(value, indent) + "\n";
  }
}

void write_yaml(const Json& value, size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) {
      out += margin + yaml_key(key) + ":";
      write_value(item, indent + 2, out);
    }
    return;
  }
  for (const auto& item : value) {
    if (item.is_object() && !item.empty()) {
      std::string block;
      write_yaml(item, indent + 2, block);
      block[indent] = '-';
      out += block;
    } else {
      out += margin + "-";
      write_value(item, indent + 2, out);
    }
  }
}

}  // namespace

std::string csv_record(const std::vector<std::string>& values) {
  std::string record;
  for (const auto& value : values) record += (&value == &values.front() ? "" : ",") + csv_value(value);
  return record + "\r\n";
}

std::string render_csv(const std::vector<std::string>& fields, const Json& value) {
  if (!value.is_structured()) return csv_record({csv_text(value)});
  const Json rows = value.is_array() ? value : Json::array({value});
  const auto names = all_fields(fields, rows);
  if (names.empty()) return {};
  auto out = csv_record(names);
  for (const auto& row : rows) {
    std::vector<std::string> values;
    for (const auto& name : names) values.push_back(row.contains(name) ? csv_text(row[name]) : "");
    out += csv_record(values);
  }
  return out;
}

std::string render_yaml(const Json& value) {
  if (!value.is_structured() || value.empty()) return yaml_scalar(value, 0) + "\n";
  std::string out;
  write_yaml(value, 0, out);
  return out;
}

}  // namespace pipekit::ctl
