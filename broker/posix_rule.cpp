#include "broker/posix_rule.h"

#include <algorithm>

namespace pipekit {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::local_days;
using std::chrono::seconds;

// Reads from the left; a failure sticks.
class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : rest_(text) {}

  std::optional<PosixRule> rule() {
    PosixRule rule;
    skip_name();
    rule.standard_ = -time(kLargestOffset);
    if (failed_) return std::nullopt;
    if (rest_.empty()) return rule;
    skip_name();
    rule.summer_ = rest_.starts_with(',') ? rule.standard_ + hours{1} : -time(kLargestOffset);
    rule.begins_ = date();
    rule.ends_ = date();
    if (failed_ || !rest_.empty()) return std::nullopt;
    return rule;
  }

 private:
  // Hours: of POSIX, and of RFC 8536.
  static constexpr int kLargestOffset = 24;
  static constexpr int kLargestTime = 167;

  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  void expect(char c) { failed_ |= !take(c); }

  void skip_name() {
    const bool bracketed = take('<');
    const auto end = bracketed ? rest_.find('>') : rest_.find_first_of("+-0123456789,");
    failed_ |= end == std::string_view::npos || (end == 0 && !bracketed);
    rest_.remove_prefix(std::min(end, rest_.size()));
    if (bracketed) expect('>');
  }

  int number(int low, int high) {
    int value = 0;
    size_t digits = 0;
    for (; digits < 3 && digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9'; ++digits)
      value = value * 10 + (rest_[digits] - '0');
    rest_.remove_prefix(digits);
    failed_ |= digits == 0 || value < low || value > high;
    return value;
  }

  // [+-]hh[:mm[:ss]]
  seconds time(int most_hours) {
    const bool negative = take('-');
    if (!negative) take('+');
    seconds total = hours{number(0, most_hours)};
    if (take(':')) total += std::chrono::minutes{number(0, 59)};
    if (take(':')) total += seconds{number(0, 59)};
    return negative ? -total : total;
  }

  PosixRule::Date date() {
    using Kind = PosixRule::Date::Kind;
    PosixRule::Date date;
    expect(',');
    if (take('M')) {
      date.month = number(1, 12);
      expect('.');
      date.week = number(1, 5);
      expect('.');
      date.day = number(0, 6);
    } else {
      date.kind = take('J') ? Kind::kJulian : Kind::kZeroBased;
      date.day = date.kind == Kind::kJulian ? number(1, 365) : number(0, 365);
    }
    if (take('/')) date.time = time(kLargestTime);
    return date;
  }

  std::string_view rest_;
  bool failed_ = false;
};

std::optional<PosixRule> PosixRule::parse(std::string_view text) { return RuleReader{text}.rule(); }

std::chrono::local_seconds PosixRule::Date::in(std::chrono::year year) const {
  using namespace std::chrono;
  if (kind == Kind::kWeekday) {
    const auto of_month = year / std::chrono::month{static_cast<unsigned>(month)};
    const weekday on{static_cast<unsigned>(day)};
    if (week == 5) return local_days{of_month / on[last]} + time;
    return local_days{of_month / on[static_cast<unsigned>(week)]} + time;
  }
  const local_days first{year / 1 / 1};
  if (kind == Kind::kZeroBased) return first + days{day} + time;
  // Julian days never count the 29th of February: day 60 is always the 1st of March.
  const int leap = year.is_leap() && day >= 60 ? 1 : 0;
  return first + days{day - 1 + leap} + time;
}

std::vector<OffsetChange> PosixRule::changes(std::chrono::year year) const {
  if (!begins_ || !ends_) return {};
  const auto instant = [](std::chrono::local_seconds local, seconds offset) {
    return std::chrono::sys_seconds{local.time_since_epoch() - offset};
  };
  // Each date is given in the time that it ends.
  std::vector<OffsetChange> found{{instant(ends_->in(year), summer_), standard_},
                                  {instant(begins_->in(year), standard_), summer_}};
  std::ranges::stable_sort(found, {}, &OffsetChange::at);
  return found;
}

}  // namespace pipekit
