// Input: a zone, a time, and a cron expression, as "N SECONDS\nEXPRESSION".
#include <charconv>

#include "tests/fuzz/schedule_walk.h"

namespace {

using namespace pipekit;
using fuzz::require;
using std::chrono::hours;
using std::chrono::seconds;

FireTime at(int64_t seconds_since_1970) { return FireTime{seconds{seconds_since_1970}}; }

// Forward and back by an hour, by half an hour and by a whole day: real zones have had each of these.
TimeZone uneasy_zone() {
  std::vector<TimeZone::Period> periods;
  auto begin = TimeZone::kBegin;
  const auto add = [&](FireTime end, seconds offset) {
    periods.push_back({begin, end, offset});
    begin = end;
  };
  add(at(0), hours{-5});
  add(at(5'000'000), hours{-4});
  add(at(20'000'000), hours{-5});
  add(at(300'000'001), hours{-10});
  add(at(1'325'239'200), hours{14});
  add(at(1'600'000'000), seconds{12'345});
  add(TimeZone::kEnd, hours{13});
  return {"Uneasy", periods};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto zones = std::vector{TimeZone{}, uneasy_zone()};
  fuzz::Input input(data, size);
  const auto zone = input.byte() % zones.size();
  const auto since = input.line();
  uint32_t after = 0;
  std::from_chars(since.data(), since.data() + since.size(), after);
  const auto expression = CronExpression::parse(input.rest());
  if (!expression) return 0;
  require(Schedule{*expression, {}}.next(at(0)).has_value(), "what is accepted fires some day");
  fuzz::walk(Schedule{*expression, zones[zone]}, at(after));
  return 0;
}
