// A time zone of the system's database: the offset of its clocks from UTC, and when that changes.
//
// Reads the TZif files of tzdata itself (RFC 8536). date-tz 3.0, which Debian packages, ignores the rule that
// ends each file: with it DST stops for ever after 2037, and at once where tzdata is packed "slim". Here the rule is
// followed to the end of 2299.
//
// Offsets only; leap seconds do not exist. A zone is a cheap copy and never changes: a new tzdata is seen by the next
// process. find() and the values are for any thread; parse() and the constructor are pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/error.h"

namespace pipekit {

class TimeZone {
 public:
  // One offset's reign, [begin, end). Neighbours differ in their offsets.
  struct Period {
    std::chrono::sys_seconds begin;
    std::chrono::sys_seconds end;
    std::chrono::seconds offset;

    [[nodiscard]] std::chrono::local_seconds local(std::chrono::sys_seconds t) const {
      return std::chrono::local_seconds{t.time_since_epoch() + offset};
    }
    [[nodiscard]] std::chrono::sys_seconds instant(std::chrono::local_seconds t) const {
      return std::chrono::sys_seconds{t.time_since_epoch() - offset};
    }
  };

  // The first period begins and the last one ends here, in place of for ever.
  static constexpr std::chrono::sys_seconds kBegin = std::chrono::sys_days{std::chrono::year{1} / 1 / 1};
  static constexpr std::chrono::sys_seconds kEnd = std::chrono::sys_days{std::chrono::year{9999} / 1 / 1};

  TimeZone() = default;  // UTC
  // In order, without holes, from kBegin to kEnd.
  TimeZone(std::string name, std::vector<Period> periods);

  // By its name in tzdata (America/New_York). kInvalid for an unknown name, with the nearest one; kUnavailable when the
  // database is not installed. An empty `directory` means $TZDIR, then /usr/share/zoneinfo.
  static Result<TimeZone> find(std::string_view name, const std::string& directory = {});
  // The bytes of a TZif file of version 2 or later.
  static Result<TimeZone> parse(std::string_view name, std::string_view bytes);

  [[nodiscard]] const std::string& name() const { return table_->name; }
  [[nodiscard]] const std::vector<Period>& periods() const { return table_->periods; }
  // The index of the period that holds `t`; before all it is the first, after all the last.
  [[nodiscard]] size_t index_at(std::chrono::sys_seconds t) const;

 private:
  struct Table {
    std::string name;
    std::vector<Period> periods;
  };
  static std::shared_ptr<const Table> utc();

  std::shared_ptr<const Table> table_ = utc();
};

// "2026-03-08T03:00:00-04:00", as the zone's clocks show it.
std::string to_local_iso(const TimeZone& zone, std::chrono::sys_seconds t);

}  // namespace pipekit
