// Input: a TZif file, and the same bytes as the rule at the end of one.
#include "broker/posix_rule.h"
#include "tests/fuzz/schedule_walk.h"

namespace {

using namespace pipekit;
using fuzz::require;

void check(const std::vector<TimeZone::Period>& periods) {
  require(periods.front().begin == TimeZone::kBegin && periods.back().end == TimeZone::kEnd, "no time is left out");
  for (size_t i = 0; i < periods.size(); ++i) {
    require(periods[i].begin < periods[i].end, "no period is empty");
    require(abs(periods[i].offset) < std::chrono::hours{26}, "offsets are those of clocks");
    if (i == 0) continue;
    require(periods[i - 1].end == periods[i].begin, "there are no holes");
    require(periods[i - 1].offset != periods[i].offset, "neighbours differ");
  }
}

// Around the first and the last changes of the offset.
void fire(const TimeZone& zone) {
  static const auto expressions =
      std::vector{*CronExpression::parse("30 2,23 * * *"), *CronExpression::parse("*/20 * * * *")};
  const auto& periods = zone.periods();
  for (const auto& expression : expressions) {
    const Schedule schedule{expression, zone};
    for (size_t i = 1; i<periods.size(); i += periods.size()> 4 ? periods.size() - 2 : 1) {
      for (const int hours : {-26, -3, 0, 3}) fuzz::walk(schedule, periods[i].begin + std::chrono::hours{hours});
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = fuzz::Input(data, size).rest();
  if (const auto zone = TimeZone::parse("it", bytes)) {
    check(zone->periods());
    fire(*zone);
  }
  if (const auto rule = PosixRule::parse(bytes)) {
    for (const int year : {1970, 2000, 2023, 2299}) {
      require(std::ranges::is_sorted(rule->changes(std::chrono::year{year}), {}, &OffsetChange::at),
              "a year's changes come in order");
    }
  }
  return 0;
}
