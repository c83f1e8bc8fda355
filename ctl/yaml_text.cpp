#include "ctl/yaml_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "shared/terminal_text.h"

namespace pipekit::ctl {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";

// Words that some version of YAML takes for a truth value, for nothing, or for a number.
bool is_word_of_yaml(std::string_view text) {
  static constexpr auto kWords =
      std::to_array<std::string_view>({"true", "false", "yes", "no", "on", "off", "null", "y", "n", "inf", "nan"});
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::ranges::find(kWords, lower) != kWords.end();
}

bool starts_plain(const CodePoint& first) {
  if (!first.valid) return false;
  if (first.value > 0xA0) return !acts_on_terminal(first.value);
  const auto letter = static_cast<char>(first.value);
  return kLetters.find(letter) != std::string_view::npos || letter == '$' || letter == '/';
}

bool continues_plain(const CodePoint& next) {
  constexpr std::string_view kMore = "0123456789$./:-()+=%;@* ";
  if (!next.valid) return false;
  if (next.value > 0xA0) return !acts_on_terminal(next.value);
  const auto letter = static_cast<char>(next.value);
  return kLetters.find(letter) != std::string_view::npos || kMore.find(letter) != std::string_view::npos;
}

bool is_plain(std::string_view text) {
  if (text.empty() || text.back() == ':' || text.back() == ' ' || text.find(": ") != std::string_view::npos) {
    return false;
  }
  if (is_word_of_yaml(text) || !starts_plain(front_of(text))) return false;
  while (!text.empty()) {
    const auto character = front_of(text);
    if (!continues_plain(character)) return false;
    text.remove_prefix(character.bytes);
  }
  return true;
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto character = front_of(text);
    if (!character.valid) {
      out += "\xEF\xBF\xBD";
    } else if (character.value == '"' || character.value == '\\') {
      out += fmt::format("\\{}", static_cast<char>(character.value));
    } else if (character.value == '\n') {
      out += "\\n";
    } else if (character.value == '\t') {
      out += "\\t";
    } else if (acts_on_terminal(character.value)) {
      out += character.value > 0xFFFF ? fmt::format("\\U{:08x}", character.value) : escape_of(character.value);
    } else {
      out += text.substr(0, character.bytes);
    }
    text.remove_prefix(character.bytes);
  }
  return out + "\"";
}

bool is_line_of_block(std::string_view line) {
  if (!line.empty() && line.find_first_not_of(" \t") == std::string_view::npos) return false;
  while (!line.empty()) {
    const auto character = front_of(line);
    if (!character.valid || (acts_on_terminal(character.value) && character.value != '\t')) return false;
    line.remove_prefix(character.bytes);
  }
  return true;
}

// A block keeps its lines as they are, with exceptions: a first line that is empty or begins with a blank, lines of
// blanks only. Such texts are quoted.
bool is_block(std::string_view text) {
  if (text.find('\n') == std::string_view::npos ||
      std::string_view(" \t\n").find(text.front()) != std::string_view::npos)
    return false;
  if (text.substr(0, 3) == "---" || text.substr(0, 3) == "...") return false;
  for (;;) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    if (!is_line_of_block(line)) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

std::string block(std::string_view text, size_t indent) {
  const bool ends = text.ends_with('\n');
  std::string out = !ends ? "|-" : text.ends_with("\n\n") ? "|+" : "|";
  if (ends) text.remove_suffix(1);
  for (;;) {
    const auto line = text.substr(0, text.find('\n'));
    out += '\n';
    if (!line.empty()) out += std::string(indent, ' ') + std::string(line);
    if (line.size() == text.size()) return out;
    text.remove_prefix(line.size() + 1);
  }
}

}  // namespace

std::string yaml_text(std::string_view text, size_t indent) {
  if (is_plain(text)) return std::string(text);
  return is_block(text) ? block(text, indent) : in_quotes(text);
}

std::string yaml_key(std::string_view text) { return is_plain(text) ? std::string(text) : in_quotes(text); }

}  // namespace pipekit::ctl
