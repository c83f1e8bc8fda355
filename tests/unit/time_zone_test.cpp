#include "broker/time_zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <random>
#include <string>

#include "broker/posix_rule.h"
#include "tests/support/temp_dir.h"
#include "tests/support/times.h"

namespace pipekit {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;
using test::utc;
using ::testing::HasSubstr;

seconds offset(const TimeZone& zone, sys_seconds t) { return zone.periods()[zone.index_at(t)].offset; }

TimeZone zone(const std::string& name) {
  auto found = TimeZone::find(name);
  if (!found) throw std::invalid_argument(found.error().message);
  return *found;
}

std::string big_endian(uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string header(uint32_t changes, uint32_t types, uint32_t letters) {
  return "TZif2" + std::string(15, '\0') + big_endian(0, 4) + big_endian(0, 4) + big_endian(0, 4) +
         big_endian(changes, 4) + big_endian(types, 4) + big_endian(letters, 4);
}

std::string type(int32_t offset) { return big_endian(static_cast<uint32_t>(offset), 4) + std::string(2, '\0'); }

// New York as `zic -b slim` writes it, reduced to one change: everything else is in the footer.
std::string slim_new_york() {
  return header(0, 1, 1) + type(0) + '\0' + header(1, 2, 1) + big_endian(1173596400, 8) + '\1' + type(-18000) +
         type(-14400) + '\0' + "\nEST5EDT,M3.2.0,M11.1.0\n";
}

// The C library's answer, from an independent implementation.
class LibraryZone {
 public:
  explicit LibraryZone(const std::string& name) {
    setenv("TZ", (":" + name).c_str(), 1);
    tzset();
  }
  ~LibraryZone() {
    unsetenv("TZ");
    tzset();
  }
  LibraryZone(const LibraryZone&) = delete;
  LibraryZone& operator=(const LibraryZone&) = delete;

  [[nodiscard]] seconds offset(sys_seconds t) const {
    const time_t at = t.time_since_epoch().count();
    tm local{};
    localtime_r(&at, &local);
    return seconds{local.tm_gmtoff};
  }
};

TEST(TimeZone, agrees_with_the_c_library_at_every_change_until_2100) {
  for (const auto* name : {"America/New_York",
                           "Europe/Berlin",
                           "Europe/London",
                           "Europe/Dublin",
                           "Australia/Lord_Howe",
                           "Australia/Sydney",
                           "America/Sao_Paulo",
                           "Pacific/Apia",
                           "Pacific/Chatham",
                           "Africa/Casablanca",
                           "Africa/Cairo",
                           "Asia/Tehran",
                           "Asia/Gaza",
                           "Asia/Jerusalem",
                           "Asia/Kolkata",
                           "Antarctica/Troll",
                           "America/Nuuk",
                           "America/Scoresbysund",
                           "America/Havana",
                           "America/Santiago",
                           "Europe/Chisinau",
                           "Asia/Tokyo",
                           "Etc/GMT+5",
                           "US/Eastern",
                           "EST5EDT"}) {
    const auto ours = zone(name);
    const LibraryZone library{name};
    std::mt19937_64 random{20260308};
    std::uniform_int_distribution<int64_t> instants{utc("1900-01-01T00:00").time_since_epoch().count(),
                                                    utc("2100-01-01T00:00").time_since_epoch().count()};
    for (int i = 0; i < 500; ++i) {
      const sys_seconds t{seconds{instants(random)}};
      ASSERT_EQ(offset(ours, t), library.offset(t)) << name << " at " << test::text(t);
    }
    for (const auto& period : ours.periods()) {
      if (period.end > utc("2100-01-01T00:00") || period.end < utc("1900-01-01T00:00")) continue;
      for (const auto t : {period.end - seconds{1}, period.end})
        ASSERT_EQ(offset(ours, t), library.offset(t)) << name << " at " << test::text(t);
    }
  }
}

TEST(TimeZone, keeps_dst_after_2037) {
  EXPECT_EQ(offset(zone("America/New_York"), utc("2038-07-01T00:00")), std::chrono::hours{-4});
  EXPECT_EQ(offset(zone("Europe/Berlin"), utc("2199-07-01T00:00")), std::chrono::hours{2});
}

TEST(TimeZone, reads_a_slim_file_by_its_rule) {
  const auto slim = TimeZone::parse("slim", slim_new_york());
  ASSERT_TRUE(slim.ok()) << slim.error().message;
  const auto full = zone("America/New_York");
  for (auto t = utc("2007-04-01T00:00"); t < utc("2060-01-01T00:00"); t += std::chrono::hours{24 * 20})
    ASSERT_EQ(offset(slim.value(), t), offset(full, t)) << test::text(t);
}

TEST(TimeZone, periods_cover_all_time_without_holes_and_differ_from_their_neighbours) {
  for (const auto* name : {"UTC", "Europe/Dublin", "Africa/Casablanca", "Asia/Tokyo"}) {
    const auto found = zone(name);
    const auto& periods = found.periods();
    EXPECT_EQ(periods.front().begin, TimeZone::kBegin);
    EXPECT_EQ(periods.back().end, TimeZone::kEnd);
    for (size_t i = 1; i < periods.size(); ++i) {
      EXPECT_EQ(periods[i].begin, periods[i - 1].end);
      EXPECT_LT(periods[i].begin, periods[i].end);
      EXPECT_NE(periods[i].offset, periods[i - 1].offset);
    }
  }
}

TEST(TimeZone, an_unknown_name_is_refused_with_the_nearest) {
  const auto hint_for = [](const std::string& name) {
    const auto found = TimeZone::find(name);
    EXPECT_FALSE(found.ok()) << name;
    return found.ok() ? "" : found.error().message + " | " + found.error().hint;
  };
  EXPECT_THAT(hint_for("America/New York"), HasSubstr("'America/New York' is not a known time zone | did you mean "
                                                      "'America/New_York'?"));
  EXPECT_THAT(hint_for("europe/berlin"), HasSubstr("did you mean 'Europe/Berlin'?"));
  EXPECT_THAT(hint_for("utc"), HasSubstr("did you mean 'UTC'?"));
  for (const auto* name : {"", "/etc/passwd", "../../etc/passwd", "America", "localtime", "posix/UTC", "right/UTC",
                           "tzdata.zi", "leapseconds", "x\ny"})
    EXPECT_EQ(TimeZone::find(name).error().code, ErrorCode::kInvalid) << name;
}

TEST(TimeZone, a_missing_database_says_what_to_install) {
  const test::TempDir empty;
  const auto found = TimeZone::find("Europe/Berlin", empty.path().string());
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(found.error().hint, HasSubstr("tzdata"));
  EXPECT_TRUE(TimeZone::find("UTC", empty.path().string()).ok());
}

TEST(TimeZone, a_damaged_file_is_refused_and_never_read_past_its_end) {
  const auto whole = slim_new_york();
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_FALSE(TimeZone::parse("cut", whole.substr(0, size)).ok()) << size;
  std::mt19937 random{1};
  for (int i = 0; i < 20000; ++i) {
    auto bent = whole;
    for (int flips = 0; flips < 3; ++flips) bent[random() % bent.size()] = static_cast<char>(random());
    const auto read = TimeZone::parse("bent", bent);
    if (!read.ok()) continue;
    EXPECT_EQ(read.value().periods().back().end, TimeZone::kEnd);
  }
}

TEST(PosixRule, knows_all_three_kinds_of_dates) {
  const auto changes = [](const char* text, int year) {
    std::vector<std::string> all;
    for (const auto& change : PosixRule::parse(text)->changes(std::chrono::year{year}))
      all.push_back(test::text(change.at));
    return all;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(changes("A0B,J60/0,J365/0", 2028), ElementsAre("2028-03-01T00:00:00Z", "2028-12-30T23:00:00Z"));
  EXPECT_THAT(changes("A0B,59/0,364/0", 2028), ElementsAre("2028-02-29T00:00:00Z", "2028-12-29T23:00:00Z"));
  EXPECT_THAT(changes("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 2026),
              ElementsAre("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"));
  EXPECT_THAT(changes("EET-2EEST,M3.4.4/50,M10.4.4/50", 2026),
              ElementsAre("2026-03-28T00:00:00Z", "2026-10-23T23:00:00Z"));
  EXPECT_TRUE(PosixRule::parse("<+0530>-5:30")->changes(std::chrono::year{2026}).empty());
}

TEST(PosixRule, refuses_what_is_none) {
  for (const auto* text :
       {"", "EST", "5", "EST5EDT,M3.2.0", "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M3.6.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0",
        "EST5EDT,J0,J1", "EST200", "EST25", "EST5EDT42,M3.2.0,M11.1.0", "EST5EDT,M3.2.0,M11.1.0x", "<EST5"})
    EXPECT_FALSE(PosixRule::parse(text)) << text;
}

}  // namespace
}  // namespace pipekit
