#include "worker/secret_forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <utility>

namespace pipekit::worker {
namespace {

bool is_alphanumeric(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

struct PercentStyle {
  std::string_view unreserved;
  bool plus_for_space;
  bool upper;
};

constexpr PercentStyle kPercentStyles[] = {
    {"-_.~", false, true},  // RFC 3986
    {"-_.~", false, false},
    {"-_.*", true, true},  // forms, Java's URLEncoder
    {"-_.*", true, false},
};

std::string percent_encoded(std::string_view text, const PercentStyle& style) {
  std::string result;
  for (const char c : text) {
    if (is_alphanumeric(c) || style.unreserved.find(c) != std::string_view::npos) {
      result += c;
    } else if (c == ' ' && style.plus_for_space) {
      result += '+';
    } else {
      result += fmt::format(fmt::runtime(style.upper ? "%{:02X}" : "%{:02x}"), static_cast<unsigned char>(c));
    }
  }
  return result;
}

using Replacements = std::vector<std::pair<char, std::string_view>>;

const std::vector<Replacements>& escapes() {
  static const std::vector<Replacements> kEscapes = {
      {{'\'', "''"}},                                  // SQL
      {{'"', "\"\""}},                                 // SQL identifiers, CSV
      {{'}', "}}"}},                                   // ODBC connection strings
      {{']', "]]"}},                                   // T-SQL identifiers
      {{'\\', "\\\\"}},                                //
      {{'\\', "\\\\"}, {'\'', "\\'"}},                 // libpq connection strings
      {{'\\', "\\\\"}, {'\'', "''"}},                  // E'' strings
      {{'\\', "\\\\"}, {'\'', "\\'"}, {'"', "\\\""}},  // C, MySQL
      {{'\'', "'\\''"}},                               // shell
      {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}},  // XML text
      {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}},
      {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&apos;"}},
  };
  return kEscapes;
}

std::string escaped(std::string_view text, const Replacements& replacements) {
  std::string result;
  for (const char c : text) {
    const auto found = std::ranges::find(replacements, c, &Replacements::value_type::first);
    found == replacements.end() ? result.push_back(c) : static_cast<void>(result += found->second);
  }
  return result;
}

std::string in_json(std::string_view text, bool ascii) {
  const auto quoted = nlohmann::json(text).dump(-1, ' ', ascii, nlohmann::json::error_handler_t::replace);
  return quoted.substr(1, quoted.size() - 2);
}

std::string in_base64(std::string_view text, std::string_view last_two) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::string result;
  uint32_t bits = 0;
  int held = 0;
  const auto put = [&](uint32_t digit) { result += digit < 62 ? kDigits[digit] : last_two[digit - 62]; };
  for (const char c : text) {
    bits = (bits << 8 | static_cast<unsigned char>(c)) & 0xFFFF;
    for (held += 8; held >= 6; held -= 6) put(bits >> (held - 6) & 63);
  }
  if (held > 0) put(bits << (6 - held) & 63);
  return result;
}

}  // namespace

std::vector<std::string> secret_forms(std::string_view secret) {
  std::vector<std::string> forms{std::string(secret)};
  const auto add = [&](std::string form) {
    if (std::ranges::find(forms, form) == forms.end()) forms.push_back(std::move(form));
  };
  for (const auto& style : kPercentStyles) add(percent_encoded(secret, style));
  for (const auto& replacements : escapes()) add(escaped(secret, replacements));
  for (const bool ascii : {false, true}) add(in_json(secret, ascii));
  for (const std::string_view last_two : {"+/", "-_"}) {
    const auto base64 = in_base64(secret, last_two);
    add(base64);
    add(base64 + std::string((4 - base64.size() % 4) % 4, '='));
  }
  return forms;
}

}  // namespace pipekit::worker
