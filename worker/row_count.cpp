#include "worker/row_count.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "worker/dialect/quoting.h"

namespace pipekit::worker {
namespace {

constexpr size_t kMaxLooked = 4096;

// U+2019, and the spaces U+00A0, U+2009, U+202F.
constexpr std::array<std::string_view, 7> kSeparators{",", ".", "'", "\u2019", "\u00A0", "\u2009", "\u202F"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

size_t digits(std::string_view text) {
  return static_cast<size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

// The separator between two digits at the front of text, else empty.
std::string_view separator_at(std::string_view text, bool blanks) {
  if (blanks && text.size() > 1 && text[0] == ' ' && is_digit(text[1])) return text.substr(0, 1);
  for (const auto separator : kSeparators) {
    if (text.starts_with(separator) && text.size() > separator.size() && is_digit(text[separator.size()]))
      return separator;
  }
  return {};
}

struct Number {
  std::optional<int64_t> value;  // nothing when the groups are not of three, or it is too large
  size_t length = 0;             // of its text, also without a value
};

// The number at the front of text, which begins with a digit.
Number number_at(std::string_view text, bool blanks = false) {
  std::string plain{text.substr(0, digits(text))};
  Number number{std::nullopt, plain.size()};
  const auto separator = separator_at(text.substr(number.length), blanks);
  bool grouped = separator.empty() || plain.size() <= 3;
  for (auto next = separator; !next.empty(); next = separator_at(text.substr(number.length), blanks)) {
    const auto group = text.substr(number.length + next.size());
    grouped = grouped && next == separator && digits(group) == 3;
    plain += group.substr(0, digits(group));
    number.length += next.size() + digits(group);
  }
  int64_t value = 0;
  const auto [end, error] = std::from_chars(plain.data(), plain.data() + plain.size(), value);
  if (grouped && error == std::errc{}) number.value = value;
  return number;
}

// Blanks, then `row` or `rows` as a word, and no rate.
bool rows_follow(std::string_view text) {
  const auto word = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(word);
  if (word == 0 || ascii_lower(text.substr(0, 3)) != "row") return false;
  text.remove_prefix(3);
  if (!text.empty() && (text[0] == 's' || text[0] == 'S')) text.remove_prefix(1);
  return text.empty() || (!is_word(text[0]) && text[0] != '/');
}

std::optional<int64_t> rows_in(std::string_view line) {
  for (size_t at = 0; at < line.size();) {
    if (!is_digit(line[at])) {
      ++at;
      continue;
    }
    const auto number = number_at(line.substr(at));
    const bool alone = at == 0 || (!is_word(line[at - 1]) && line[at - 1] != '-');
    if (alone && number.value && rows_follow(line.substr(at + number.length))) return number.value;
    at += number.length;
  }
  return std::nullopt;
}

}  // namespace

RowCount::RowCount(Pattern pattern) : pattern_(std::move(pattern)) {}

Result<RowCount> RowCount::with_pattern(const std::string& pattern) {
  auto compiled = Pattern::compile(pattern);
  if (!compiled) return compiled.error();
  return RowCount(*std::move(compiled));
}

std::optional<int64_t> RowCount::by_pattern(std::string_view line) const {
  const auto group = pattern_->group_in(line);
  if (!group || group->empty() || !is_digit(group->front())) return std::nullopt;
  const auto number = number_at(*group, true);
  return number.length == group->size() ? number.value : std::nullopt;
}

void RowCount::feed(std::string_view line) {
  line = line.substr(0, kMaxLooked);
  if (const auto found = pattern_ ? by_pattern(line) : rows_in(line)) last_ = found;
}

}  // namespace pipekit::worker
