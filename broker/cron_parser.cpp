// CronExpression::parse: text to fields, and every refusal's message.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <span>
#include <string>
#include <vector>

#include "broker/cron.h"
#include "shared/nearest.h"

namespace pipekit {
namespace {

constexpr size_t kLongest = 1000;  // what people write has 20 characters
constexpr size_t kQuoted = 40;

struct FieldRules {
  std::string_view name;
  unsigned low;
  unsigned high;
  std::span<const std::string_view> names{};  // names[0] is `low`
};

constexpr auto kMonths = std::to_array<std::string_view>(
    {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"});
constexpr auto kWeekdays = std::to_array<std::string_view>({"sun", "mon", "tue", "wed", "thu", "fri", "sat"});

constexpr FieldRules kSecond{"second", 0, 59};
constexpr FieldRules kMinute{"minute", 0, 59};
constexpr FieldRules kHour{"hour", 0, 23};
constexpr FieldRules kDayOfMonth{"day-of-month", 1, 31};
constexpr FieldRules kMonth{"month", 1, 12, kMonths};
constexpr FieldRules kDayOfWeek{"day-of-week", 0, 7, kWeekdays};

struct Macro {
  std::string_view name;
  std::string_view meaning;
};
constexpr auto kMacros = std::to_array<Macro>({{"@yearly", "0 0 1 1 *"},
                                               {"@annually", "0 0 1 1 *"},
                                               {"@monthly", "0 0 1 * *"},
                                               {"@weekly", "0 0 * * 0"},
                                               {"@daily", "0 0 * * *"},
                                               {"@midnight", "0 0 * * *"},
                                               {"@hourly", "0 * * * *"}});

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return lower(c) >= 'a' && lower(c) <= 'z'; }

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

// Bytes that a terminal would not show as they are become '?'.
std::string quoted(std::string_view text) {
  std::string shown{text.substr(0, kQuoted)};
  std::ranges::replace_if(
      shown, [](char c) { return c < ' ' || c > '~'; }, '?');
  return fmt::format("'{}{}'", shown, text.size() > kQuoted ? "..." : "");
}

std::string allowed(const FieldRules& rules) {
  if (rules.names.empty()) return fmt::format("{} to {}", rules.low, rules.high);
  return fmt::format("{} to {} and {} to {}", rules.low, rules.high, rules.names.front(), rules.names.back());
}

Error wrong(const FieldRules& rules, std::string_view element, const std::string& what, std::string hint = {}) {
  if (hint.empty())
    hint = fmt::format("{} allows {}, *, ranges a-b, steps */n, and lists of them", rules.name, allowed(rules));
  return {ErrorCode::kInvalid, fmt::format("{} field: {} {}", rules.name, quoted(element), what), std::move(hint)};
}

// A number that does not fit is larger than any field's.
std::optional<unsigned> number(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} ? value : ~0U;
}

std::optional<unsigned> named(const FieldRules& rules, std::string_view text) {
  const auto found = std::ranges::find_if(rules.names, [&](std::string_view name) { return same_word(name, text); });
  if (found == rules.names.end()) return std::nullopt;
  return rules.low + static_cast<unsigned>(found - rules.names.begin());
}

// `?`, `15W`, `5#2`, `LW`: what the digits leave is one or two of these.
bool of_other_schedulers(std::string_view text) {
  size_t foreign = 0;
  for (const char c : text) {
    if (is_digit(c)) continue;
    if (std::string_view{"?#~LWHlwh"}.find(c) == std::string_view::npos) return false;
    ++foreign;
  }
  return foreign == 1 || foreign == 2;
}

Error not_a_value(const FieldRules& rules, std::string_view element, std::string_view text) {
  if (text.empty()) return wrong(rules, element, "is incomplete");
  if (of_other_schedulers(text))
    return wrong(rules, element, "uses a character that is not supported",
                 "? L W # H ~ belong to other schedulers: write * or the values that you mean");
  if (!rules.names.empty() && std::ranges::all_of(text, is_letter))
    return wrong(rules, element, fmt::format("is not a name of a {}", &rules == &kMonth ? "month" : "weekday"),
                 fmt::format("names have three letters: {}", fmt::join(rules.names, ", ")));
  return wrong(rules, element, "is not a number or a range");
}

Result<unsigned> value_of(const FieldRules& rules, std::string_view element, std::string_view text) {
  if (const auto name = named(rules, text)) return *name;
  const auto value = number(text);
  if (!value) return not_a_value(rules, element, text);
  if (*value < rules.low || *value > rules.high)
    return wrong(rules, element, fmt::format("is out of range, {} is allowed", allowed(rules)));
  return *value;
}

struct Range {
  unsigned from = 0;
  unsigned to = 0;
};

Result<Range> range_of(const FieldRules& rules, std::string_view element, std::string_view text, bool stepped) {
  if (text == "*") return Range{rules.low, rules.high};
  const auto dash = text.find('-');
  const auto from = value_of(rules, element, text.substr(0, dash));
  if (!from) return from.error();
  if (dash == std::string_view::npos) return Range{from.value(), stepped ? rules.high : from.value()};
  auto to = value_of(rules, element, text.substr(dash + 1));
  if (!to) return to.error();
  // `fri-sun`: a week that ends on Sunday. `0` stays 0.
  if (&rules == &kDayOfWeek && *to == 0 && from.value() > 0 && named(rules, text.substr(dash + 1))) *to = 7;
  if (from.value() > *to)
    return wrong(rules, element, "is reversed",
                 fmt::format("a range runs from the smaller to the larger value: write two ranges, {}-{},{}-{}",
                             from.value(), rules.high, rules.low, *to));
  return Range{from.value(), *to};
}

Result<unsigned> step_of(const FieldRules& rules, std::string_view element, std::string_view text) {
  const auto step = number(text);
  if (!step) return wrong(rules, element, "has a step that is not a number");
  if (*step == 0) return wrong(rules, element, "has the step 0", "a step is 1 or more");
  const auto longest = rules.high - rules.low + (&rules == &kDayOfWeek ? 0U : 1U);
  if (*step > longest)
    return wrong(rules, element, fmt::format("has a step longer than the field, at most {} is allowed", longest),
                 "every field starts again when it ends; for a fixed interval use kind: interval with every_s");
  return *step;
}

Result<uint64_t> element_of(const FieldRules& rules, std::string_view element) {
  const auto slash = element.find('/');
  const bool stepped = slash != std::string_view::npos;
  const auto range = range_of(rules, element, element.substr(0, slash), stepped);
  if (!range) return range.error();
  const auto step = stepped ? step_of(rules, element, element.substr(slash + 1)) : Result<unsigned>{1U};
  if (!step) return step.error();
  uint64_t bits = 0;
  for (unsigned value = range.value().from; value <= range.value().to; value += step.value())
    bits |= uint64_t{1} << value;
  return bits;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators, bool keep_empty) {
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const auto end = std::min(text.find_first_of(separators, begin), text.size());
    if (end > begin || keep_empty) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Result<uint64_t> field_of(const FieldRules& rules, std::string_view text) {
  uint64_t bits = 0;
  for (const auto element : split(text, ",", true)) {
    if (element.empty()) return wrong(rules, text, "has an empty element");
    const auto part = element_of(rules, element);
    if (!part) return part.error();
    bits |= part.value();
  }
  return bits;
}

Error wrong_count(std::string_view text, size_t count) {
  const auto what =
      count == 7 ? "seven fields (a year is not understood)" : fmt::format("{} field{}", count, count == 1 ? "" : "s");
  return {ErrorCode::kInvalid, fmt::format("{} has {} where five or six are needed", quoted(text), what),
          "minute hour day-of-month month day-of-week, or six with the second first: \"30 2 * * mon-fri\""};
}

Error unknown_macro(std::string_view text) {
  if (same_word(text, "@reboot"))
    return {ErrorCode::kInvalid, "@reboot is not a time",
            "a schedule fires at times; run the group from a unit that starts with the host"};
  if (same_word(text.substr(0, 6), "@every"))
    return {ErrorCode::kInvalid, fmt::format("{} is not a cron expression", quoted(text)),
            "use kind: interval with every_s"};
  std::vector<std::string> known;
  for (const auto& macro : kMacros) known.emplace_back(macro.name);
  return {ErrorCode::kInvalid, fmt::format("{} is not a known name for a time", quoted(text)),
          did_you_mean(text, known)};
}

Result<std::string_view> expanded(std::string_view text) {
  const auto found = std::ranges::find_if(kMacros, [&](const Macro& macro) { return same_word(macro.name, text); });
  if (found == kMacros.end()) return unknown_macro(text);
  return found->meaning;
}

// The longest of the months named has too few days. Weekdays cannot be the reason: over 400 years every date falls on
// each of them, the 29th of February included.
bool never(const CronFields& fields) {
  constexpr uint64_t kWith30 = 0b1111111111010;
  constexpr uint64_t kWith31 = 0b1010110101010;
  if (!fields.both_days) return false;
  const auto first = static_cast<unsigned>(std::countr_zero(fields.days));
  if (first == 31) return (fields.months & kWith31) == 0;
  return first == 30 && (fields.months & kWith30) == 0;
}

Result<CronFields> fields_of(std::span<const std::string_view> parts) {
  static constexpr auto kRules =
      std::to_array<const FieldRules*>({&kSecond, &kMinute, &kHour, &kDayOfMonth, &kMonth, &kDayOfWeek});
  std::array<uint64_t, 6> bits{1};
  const auto skipped = kRules.size() - parts.size();
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto field = field_of(*kRules[i + skipped], parts[i]);
    if (!field) return field.error();
    bits[i + skipped] = field.value();
  }
  const auto hour = parts[2 - skipped];
  const auto day = parts[3 - skipped];
  const auto weekday = parts[5 - skipped];
  return CronFields{.seconds = bits[0],
                    .minutes = bits[1],
                    .hours = bits[2],
                    .days = bits[3],
                    .months = bits[4],
                    .weekdays = (bits[5] | bits[5] >> 7) & 0x7f,
                    .both_days = day.starts_with('*') || weekday.starts_with('*'),
                    .elapsed = hour.find_first_of("*/") != std::string_view::npos};
}

}  // namespace

Result<CronExpression> CronExpression::parse(std::string_view text) {
  if (text.size() > kLongest)
    return Error{ErrorCode::kInvalid, fmt::format("a cron expression has at most {} characters", kLongest)};
  auto parts = split(text, " \t\r\n", false);
  if (parts.size() == 1 && parts[0].starts_with('@')) {
    const auto meaning = expanded(parts[0]);
    if (!meaning) return meaning.error();
    parts = split(meaning.value(), " ", false);
  }
  if (!parts.empty() && parts[0].starts_with('@')) return unknown_macro(text);
  if (parts.size() != 5 && parts.size() != 6) return wrong_count(text, parts.size());
  const auto fields = fields_of(parts);
  if (!fields) return fields.error();
  if (never(fields.value()))
    return Error{ErrorCode::kInvalid,
                 fmt::format("{} can never fire: no month {} has a day {}", quoted(text), parts[parts.size() - 2],
                             parts[parts.size() - 3]),
                 "check day-of-month and month"};
  return CronExpression{fields.value()};
}

}  // namespace pipekit
