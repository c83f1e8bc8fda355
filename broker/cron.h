// Cron expressions: what they mean on a calendar without time zones. broker/schedule.h puts a zone under them.
//
// Five fields (minute, hour, day of month, month, day of week) or six (second first), each a list of `*`, `*/n`, a,
// a-b, a-b/n or a/n (from a to the end of the field). Months and weekdays by number or three-letter name in any case; 0
// and 7 are Sunday, and so is `sun` at the end of a range. @yearly @annually @monthly @weekly @daily @midnight @hourly.
//
// Days, as cron(5): when either day field begins with `*` (also `*/2`) a day must match both; else one suffices. So
// `1-31` is not `*`: `0 0 1-31 * mon` is every day.
//
// Refused with kInvalid, because each is more likely a mistake than a wish: reversed ranges; step 0 or a step longer
// than its field (`*/90` minutes would be hourly); days that no named month has; @reboot; ? L W # H and years, which
// other schedulers know.
//
// Pure values; any thread. Local times are seconds on a wall clock that knows no zone.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "shared/error.h"

namespace pipekit {

using LocalSeconds = std::chrono::local_seconds;

// Bit n of a field is set when the value n matches.
struct CronFields {
  uint64_t seconds = 1;
  uint64_t minutes = 0;
  uint64_t hours = 0;
  uint64_t days = 0;
  uint64_t months = 0;
  uint64_t weekdays = 0;   // 0 is Sunday; 7 is folded into it
  bool both_days = false;  // a day must match both day fields
  bool elapsed = false;    // `*` or a step in the hour field: firing follows elapsed time, see broker/schedule.h
};

class CronExpression {
 public:
  static Result<CronExpression> parse(std::string_view text);

  [[nodiscard]] bool follows_elapsed_time() const { return fields_.elapsed; }

  // Of the matching local times in [from, to): the first, the last, how many. The cost grows with the months between,
  // not with the matches.
  [[nodiscard]] std::optional<LocalSeconds> first(LocalSeconds from, LocalSeconds to) const;
  [[nodiscard]] std::optional<LocalSeconds> last(LocalSeconds from, LocalSeconds to) const;
  [[nodiscard]] int64_t count(LocalSeconds from, LocalSeconds to) const;

 private:
  explicit CronExpression(CronFields fields);

  [[nodiscard]] uint64_t days_of(std::chrono::year_month month) const;
  [[nodiscard]] std::optional<std::chrono::local_days> first_day(std::chrono::local_days from,
                                                                 std::chrono::local_days to) const;
  [[nodiscard]] std::optional<std::chrono::local_days> last_day(std::chrono::local_days from,
                                                                std::chrono::local_days to) const;
  [[nodiscard]] int64_t count_days(std::chrono::local_days from, std::chrono::local_days to) const;
  [[nodiscard]] bool matches_day(std::chrono::local_days day) const;
  // Of one day's matching times: the first at or after, the last before, how many before.
  [[nodiscard]] std::optional<std::chrono::seconds> first_time(std::chrono::seconds from) const;
  [[nodiscard]] std::optional<std::chrono::seconds> last_time(std::chrono::seconds before) const;
  [[nodiscard]] int64_t count_times(std::chrono::seconds before) const;

  CronFields fields_;
};

}  // namespace pipekit
