#include "shared/placeholder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

namespace pipekit {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_char(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

// The name in "{name}..."; empty when the brace opens no placeholder.
std::string_view name_at(std::string_view rest) {
  size_t end = 1;
  while (end < rest.size() && is_name_char(rest[end])) ++end;
  if (end >= rest.size() || rest[end] != '}' || end == 1 || !is_letter(rest[1])) return {};
  return rest.substr(1, end - 1);
}

// Calls literal(text) and placeholder(name) from left to right.
void scan(std::string_view text, auto&& literal, auto&& placeholder) {
  while (!text.empty()) {
    const auto brace = std::min(text.find_first_of("{}"), text.size());
    literal(text.substr(0, brace));
    text.remove_prefix(brace);
    if (text.starts_with("{{") || text.starts_with("}}")) {
      literal(text.substr(0, 1));
      text.remove_prefix(2);
    } else if (const auto name = text.starts_with('{') ? name_at(text) : std::string_view{}; !name.empty()) {
      placeholder(name);
      text.remove_prefix(name.size() + 2);
    } else if (!text.empty()) {
      literal(text.substr(0, 1));
      text.remove_prefix(1);
    }
  }
}

Error mismatch(const std::vector<std::string>& unknown, const std::vector<std::string>& unused) {
  std::string message;
  if (!unknown.empty()) message = fmt::format("no value for {{{}}}", fmt::join(unknown, "}, {"));
  if (!unused.empty()) {
    message += fmt::format("{}not used in the query: {}", message.empty() ? "" : "; ", fmt::join(unused, ", "));
  }
  return {ErrorCode::kInvalid, message,
          "every {name} needs a watermark and every watermark its {name}; write {{ and }} for literal braces"};
}

}  // namespace

bool is_placeholder_name(std::string_view text) {
  return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), is_name_char);
}

std::vector<std::string> placeholders_in(std::string_view text) {
  std::vector<std::string> names;
  std::set<std::string_view> seen;
  scan(
      text, [](std::string_view) {},
      [&](std::string_view name) {
        if (seen.insert(name).second) names.emplace_back(name);
      });
  return names;
}

Result<std::string> substitute(std::string_view text, const std::map<std::string, std::string>& values) {
  std::vector<std::string> unknown;
  const auto names = placeholders_in(text);
  std::copy_if(names.begin(), names.end(), std::back_inserter(unknown),
               [&](const auto& name) { return !values.contains(name); });
  std::vector<std::string> unused;
  for (const auto& [name, value] : values) {
    if (std::find(names.begin(), names.end(), name) == names.end()) unused.push_back(name);
  }
  if (!unknown.empty() || !unused.empty()) return mismatch(unknown, unused);
  std::string out;
  scan(
      text, [&](std::string_view piece) { out += piece; },
      [&](std::string_view name) { out += values.at(std::string(name)); });
  return out;
}

}  // namespace pipekit
