#include "worker/jrunner/number_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

namespace pipekit::jrunner {
namespace {

constexpr double kLeastPlain = 1e-5;
constexpr double kBeyondPlain = 1e19;
constexpr size_t kAlwaysExactDigits = 15;  // significant decimal digits that every double keeps

// 0.DIGITS times ten to the EXPONENT; no zeros at either end of the digits, none at all for zero.
struct Decimal {
  bool negative = false;
  std::string digits{};
  int64_t exponent = 0;

  bool operator==(const Decimal&) const = default;
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view take_digits(std::string_view& text) {
  size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  const auto digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

// The exponent of "e+12"; nothing for any other text. Huge exponents saturate.
std::optional<int64_t> take_exponent(std::string_view text) {
  if (text.empty()) return 0;
  if (text.front() != 'e' && text.front() != 'E') return std::nullopt;
  text.remove_prefix(1);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto digits = take_digits(text);
  if (digits.empty() || !text.empty()) return std::nullopt;
  int64_t value = 0;
  const auto end = digits.data() + digits.size();
  if (digits.size() > 9 || std::from_chars(digits.data(), end, value).ec != std::errc{}) value = 1'000'000'000;
  return negative ? -value : value;
}

Decimal normalised(bool negative, std::string_view whole, std::string_view fraction, int64_t exponent) {
  Decimal result{negative, std::string(whole) + std::string(fraction), exponent + static_cast<int64_t>(whole.size())};
  const auto first = std::min(result.digits.find_first_not_of('0'), result.digits.size());
  result.digits.erase(0, first);
  result.exponent -= static_cast<int64_t>(first);
  result.digits.erase(result.digits.find_last_not_of('0') + 1);
  if (result.digits.empty()) return {};
  return result;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  text = trimmed(text);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto whole = take_digits(text);
  std::string_view fraction;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    fraction = take_digits(text);
  }
  if (whole.empty() && fraction.empty()) return std::nullopt;
  const auto exponent = take_exponent(text);
  if (!exponent) return std::nullopt;
  return normalised(negative, whole, fraction, *exponent);
}

std::optional<int64_t> as_integer(const Decimal& decimal) {
  constexpr int64_t kMostDigits = 19;
  const auto size = static_cast<int64_t>(decimal.digits.size());
  if (decimal.exponent < size || decimal.exponent > kMostDigits) return std::nullopt;
  auto text = (decimal.negative ? "-" : "") + decimal.digits;
  text.append(static_cast<size_t>(decimal.exponent - size), '0');
  int64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) return std::nullopt;
  return value;
}

std::string scientific(const Decimal& decimal) {
  return (decimal.negative ? "-." : ".") + decimal.digits + "e" + std::to_string(decimal.exponent);
}

template <class Number>
void append_chars(Number value, std::string& out) {
  std::array<char, 40> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  out.append(buffer.data(), end);
}

std::optional<double> as_double(const Decimal& decimal) {
  const auto text = scientific(decimal);
  double value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) return std::nullopt;
  if (decimal.digits.size() <= kAlwaysExactDigits && std::abs(value) >= std::numeric_limits<double>::min()) {
    return value;
  }
  std::string shortest;
  append_chars(value, shortest);
  if (parse_decimal(shortest) != decimal) return std::nullopt;
  return value;
}

}  // namespace

ExactNumber exact_number(std::string_view text) {
  int64_t integer = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), integer);
  if (parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size()) return integer;
  const auto decimal = parse_decimal(text);
  if (!decimal) return NotANumber{};
  if (decimal->digits.empty()) return int64_t{0};
  if (const auto whole = as_integer(*decimal)) return *whole;
  if (const auto real = as_double(*decimal)) return *real;
  return Inexact{};
}

bool fits_double(int64_t value) {
  constexpr double kTwoTo63 = 9223372036854775808.0;
  const auto real = static_cast<double>(value);
  return real < kTwoTo63 && static_cast<int64_t>(real) == value;
}

void append_integer(int64_t value, std::string& out) { append_chars(value, out); }

void append_real(double value, std::string& out) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
  } else if (const auto size = std::abs(value); size == 0 || (size >= kLeastPlain && size < kBeyondPlain)) {
    std::array<char, 64> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed).ptr;
    out.append(buffer.data(), end);
  } else {
    append_chars(value, out);
  }
}

void append_real_as_text(double value, std::string& out) {
  const auto from = out.size();
  append_real(value, out);
  if (std::isfinite(value) && out.find_first_of(".e", from) == std::string::npos) out += ".0";
}

bool loses_its_spelling(std::string_view text) {
  const auto number = exact_number(text);
  std::string spelling;
  if (const auto* integer = std::get_if<int64_t>(&number)) append_integer(*integer, spelling);
  if (const auto* real = std::get_if<double>(&number)) append_real(*real, spelling);
  return spelling != text;
}

}  // namespace pipekit::jrunner
