#include "ctl/human.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <ctime>

namespace pipekit::ctl {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

std::string largest_unit(seconds span) {
  if (span < minutes{1}) return fmt::format("{}s", span.count());
  if (span < hours{1}) return fmt::format("{}m", floor<minutes>(span).count());
  if (span < days{2}) return fmt::format("{}h", floor<hours>(span).count());
  return fmt::format("{}d", floor<days>(span).count());
}

// Takes `digits` digits and then `separator` (0: none) off the front.
bool take(std::string_view& text, size_t digits, char separator, int& out) {
  const size_t wanted = digits + (separator == 0 ? 0 : 1);
  if (text.size() < wanted || (separator != 0 && text[digits] != separator)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, out);
  if (error != std::errc{} || end != text.data() + digits || out < 0) return false;
  text.remove_prefix(wanted);
  return true;
}

std::optional<Millis> fraction(std::string_view& text) {
  if (text.empty() || text[0] != '.') return Millis{0};
  text.remove_prefix(1);
  int value = 0;
  int scale = 100;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), scale /= 10) {
    value += (text[0] - '0') * scale;
  }
  return Millis{value};
}

std::optional<Millis> time_of_day(std::string_view& text) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  if (!take(text, 2, ':', hour) || !take(text, 2, 0, minute)) return std::nullopt;
  if (!text.empty() && text[0] == ':') {
    text.remove_prefix(1);
    if (!take(text, 2, 0, second)) return std::nullopt;
  }
  if (hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return hours{hour} + minutes{minute} + seconds{second} + *fraction(text);
}

std::optional<Millis> span_of(std::string_view text) {
  int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size() - 1 || count < 0 || count > 1'000'000'000) {
    return std::nullopt;
  }
  switch (*end) {
    case 's':
      return seconds{count};
    case 'm':
      return minutes{count};
    case 'h':
      return hours{count};
    case 'd':
      return days{count};
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string with_thousands(int64_t number) {
  auto digits = fmt::format("{}", number);
  const size_t first = number < 0 ? 1 : 0;
  for (size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string duration_text(Millis duration) {
  const auto ms = duration.count() < 0 ? 0 : duration.count();
  if (ms < 1000) return fmt::format("{}ms", ms);
  if (ms < 60'000) return fmt::format("{}.{}s", ms / 1000, ms % 1000 / 100);
  const auto total = ms / 1000;
  if (total < 3600) return fmt::format("{}m{:02}s", total / 60, total % 60);
  if (total < 86'400) return fmt::format("{}h{:02}m", total / 3600, total % 3600 / 60);
  return fmt::format("{}d{:02}h", total / 86'400, total % 86'400 / 3600);
}

std::string elapsed_text(Millis duration) {
  const auto whole = floor<seconds>(duration);
  return whole < minutes{1} ? fmt::format("{}s", std::max<int64_t>(whole.count(), 0)) : duration_text(whole);
}

std::string local_text(WallTime time) {
  const auto seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  if (localtime_r(&seconds, &parts) == nullptr) return to_iso(time);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S %Z", &parts)};
}

std::string ago_text(WallTime then, WallTime now) {
  const auto span = floor<seconds>(now < then ? then - now : now - then);
  if (span < seconds{1}) return "now";
  return now < then ? "in " + largest_unit(span) : largest_unit(span) + " ago";
}

std::optional<WallTime> parse_iso(std::string_view text) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!take(text, 4, '-', year) || !take(text, 2, '-', month) || !take(text, 2, 0, day)) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  Millis rest{0};
  if (!text.empty() && (text[0] == 'T' || text[0] == ' ')) {
    text.remove_prefix(1);
    const auto of_day = time_of_day(text);
    if (!of_day) return std::nullopt;
    rest = *of_day;
  }
  if (text != "" && text != "Z") return std::nullopt;
  return WallTime{std::chrono::sys_days{date}} + rest;
}

Result<WallTime> parse_since(std::string_view text, WallTime now) {
  if (!text.empty()) {
    if (const auto span = span_of(text)) return now - *span;
  }
  if (const auto time = parse_iso(text)) return *time;
  return Error{ErrorCode::kUsage, fmt::format("\"{}\" is neither a time nor a length of time", text),
               "write an ISO time in UTC (2026-03-01T02:20:00Z) or how long ago (90s, 30m, 24h, 7d)"};
}

}  // namespace pipekit::ctl
