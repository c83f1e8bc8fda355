// CSV and YAML.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ctl/render.h"

namespace pipekit::ctl {
namespace {

std::string csv_value(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + "\"";
}

// Booleans and numbers as JSON has them; lists and maps as JSON text; null is empty.
std::string csv_text(const Json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return value.get<std::string>();
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::vector<std::string> all_fields(const std::vector<std::string>& first, const Json& rows) {
  std::vector<std::string> fields;
  std::set<std::string> present;
  for (const auto& row : rows) {
    for (const auto& [name, value] : row.items()) present.insert(name);
  }
  for (const auto& name : first) {
    if (present.erase(name) > 0) fields.push_back(name);
  }
  fields.insert(fields.end(), present.begin(), present.end());
  return fields;
}

bool looks_like_another_type(const std::string& text) {
  static const std::set<std::string, std::less<>> kWords = {"true", "false", "yes", "no", "on", "off",
                                                            "null", "~",     "y",   "n",  ""};
  std::string lower = text;
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (kWords.contains(lower)) return true;
  // Numbers in all their forms, times, .inf and .nan; quoting too much does no harm.
  if (lower.find_first_of("0123456789") == std::string::npos) return lower.find_first_of(".+-") == 0;
  return lower.find_first_not_of("0123456789abcdefinxotz.+-_: ") == std::string::npos;
}

bool is_plain_scalar(const std::string& text) {
  constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@` ";
  if (looks_like_another_type(text) || kIndicators.find(text.front()) != std::string_view::npos) return false;
  if (text.back() == ' ' || text.back() == ':') return false;
  return std::ranges::all_of(text, [](unsigned char c) { return c >= 0x20 && c != 0x7F; }) &&
         text.find(": ") == std::string::npos && text.find(" #") == std::string::npos;
}

bool is_block_text(const std::string& text) {
  return text.find('\n') != std::string::npos && text.front() != ' ' && text.front() != '\n' &&
         std::ranges::all_of(text, [](unsigned char c) { return c == '\n' || (c >= 0x20 && c != 0x7F); });
}

std::string block_text(const std::string& text, size_t indent) {
  const size_t end = text.find_last_not_of('\n') + 1;
  const size_t newlines = text.size() - end;
  std::string out = newlines == 0 ? "|-\n" : newlines == 1 ? "|\n" : "|+\n";
  const std::string margin(indent, ' ');
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto line_end = rest.find('\n');
    const auto line = rest.substr(0, line_end);
    if (!line.empty()) out.append(margin).append(line);
    out += "\n";
    if (line_end == std::string_view::npos) break;
    rest.remove_prefix(line_end + 1);
  }
  out.pop_back();
  return out;
}

std::string yaml_scalar(const Json& value, size_t indent) {
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    if (is_block_text(text)) return block_text(text, indent);
    if (is_plain_scalar(text)) return text;
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);  // JSON's quoting is YAML's
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
      out += margin + (is_plain_scalar(key) ? key : Json(key).dump()) + ":";
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
