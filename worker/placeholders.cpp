#include "worker/placeholders.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace pipekit::worker {
namespace {

bool begins_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_name(char c) { return begins_name(c) || (c >= '0' && c <= '9'); }

// The name when text begins with {name}, else empty.
std::string_view name_at(std::string_view text) {
  if (text.size() < 3 || text[0] != '{' || !begins_name(text[1])) return {};
  size_t end = 2;
  while (end < text.size() && continues_name(text[end])) ++end;
  return end < text.size() && text[end] == '}' ? text.substr(1, end - 1) : std::string_view{};
}

// Calls literal(text) and placeholder(name) in the order of the text, braces undone.
template <class Literal, class Placeholder>
void scan(std::string_view text, Literal literal, Placeholder placeholder) {
  while (!text.empty()) {
    size_t used = 1;
    if (text.starts_with("{{") || text.starts_with("}}")) {
      literal(text.substr(0, 1));
      used = 2;
    } else if (const auto name = name_at(text); !name.empty()) {
      placeholder(name);
      used = name.size() + 2;
    } else {
      used = std::min(text.find_first_of("{}", 1), text.size());
      literal(text.substr(0, used));
    }
    text.remove_prefix(used);
  }
}

std::string listed(const std::vector<std::string>& names) {
  return names.empty() ? "none" : fmt::format("{{{}}}", fmt::join(names, "}, {"));
}

std::vector<std::string> names_of(const std::map<std::string, std::string>& values) {
  std::vector<std::string> names;
  for (const auto& [name, value] : values) names.push_back(name);
  return names;
}

}  // namespace

std::vector<std::string> placeholders_in(std::string_view text) {
  std::vector<std::string> names;
  scan(
      text, [](std::string_view) {},
      [&](std::string_view name) {
        if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
      });
  return names;
}

Result<std::string> substitute(std::string_view text, const std::map<std::string, std::string>& values) {
  const auto used = placeholders_in(text);
  std::vector<std::string> unknown;
  std::ranges::copy_if(used, std::back_inserter(unknown), [&](const auto& name) { return !values.contains(name); });
  if (!unknown.empty()) {
    return Error{ErrorCode::kInvalid,
                 fmt::format("no value for the placeholder {} of the query; there are values for {}", listed(unknown),
                             listed(names_of(values))),
                 "define a watermark of that name, give it with --set, or write {{ and }} for braces that stay"};
  }
  auto unused = names_of(values);
  std::erase_if(unused, [&](const auto& name) { return std::ranges::find(used, name) != used.end(); });
  if (!unused.empty()) {
    return Error{
        ErrorCode::kInvalid,
        fmt::format("the value of {} is not used by the query; its placeholders are {}", listed(unused), listed(used)),
        "write the placeholder into the query, or remove the watermark or --set"};
  }
  std::string out;
  scan(
      text, [&](std::string_view part) { out += part; },
      [&](std::string_view name) { out += values.find(std::string{name})->second; });
  return out;
}

}  // namespace pipekit::worker
