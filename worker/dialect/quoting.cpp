#include "worker/dialect/quoting.h"

namespace pipekit::worker {
namespace {

std::string doubled(std::string_view text, char quote, bool backslash_too = false) {
  std::string out;
  out.reserve(text.size() + 2);
  for (const char c : text) {
    if (c == quote || (backslash_too && c == '\\')) out += c;
    out += c;
  }
  return out;
}

}  // namespace

std::string quote_identifier(std::string_view name) { return '"' + doubled(name, '"') + '"'; }

std::string quote_literal(std::string_view text) { return '\'' + doubled(text, '\'') + '\''; }

std::string quote_literal_escaping(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return quote_literal(text);
  return "E'" + doubled(text, '\'', true) + '\'';
}

std::string column_list(const std::vector<std::string>& columns, std::string_view alias) {
  std::string out;
  for (const auto& column : columns) {
    if (!out.empty()) out += ", ";
    if (!alias.empty()) out.append(alias) += '.';
    out += quote_identifier(column);
  }
  return out;
}

std::string ascii_lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

}  // namespace pipekit::worker
