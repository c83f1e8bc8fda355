// The rule at the end of a TZif file ("CET-1CEST,M3.5.0,M10.5.0/3"): what a zone does after its last listed change.
// The POSIX TZ form with RFC 8536's extension, hours from -167 to 167, which Gaza, Jerusalem and Nuuk use. Pure.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

namespace pipekit {

struct OffsetChange {
  std::chrono::sys_seconds at;
  std::chrono::seconds offset;  // from then on
};

class PosixRule {
 public:
  // None for a text that is not such a rule.
  static std::optional<PosixRule> parse(std::string_view text);

  [[nodiscard]] std::chrono::seconds standard() const { return standard_; }
  // The changes of one year's rules, in order; none for a zone without DST.
  [[nodiscard]] std::vector<OffsetChange> changes(std::chrono::year year) const;

 private:
  // A day of the year and a time of that day.
  struct Date {
    enum class Kind { kWeekday, kJulian, kZeroBased } kind = Kind::kWeekday;
    int month = 0;
    int week = 0;  // 5: the last
    int day = 0;
    std::chrono::seconds time{7200};

    [[nodiscard]] std::chrono::local_seconds in(std::chrono::year year) const;
  };
  friend class RuleReader;

  std::chrono::seconds standard_{0};
  std::chrono::seconds summer_{0};
  std::optional<Date> begins_;
  std::optional<Date> ends_;
};

}  // namespace pipekit
