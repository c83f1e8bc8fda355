#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "ctl/human.h"
#include "ctl/width.h"

namespace pipekit::ctl {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const WallTime kNow = *parse_iso("2026-03-01T02:20:00.000Z");

TEST(CtlText, thousands_are_separated_on_both_sides_of_zero) {
  EXPECT_EQ(with_thousands(0), "0");
  EXPECT_EQ(with_thousands(999), "999");
  EXPECT_EQ(with_thousands(1000), "1,000");
  EXPECT_EQ(with_thousands(1234567), "1,234,567");
  EXPECT_EQ(with_thousands(-100), "-100");
  EXPECT_EQ(with_thousands(-123456), "-123,456");
  EXPECT_EQ(with_thousands(INT64_MIN), "-9,223,372,036,854,775,808");
}

TEST(CtlText, a_duration_has_the_two_units_that_matter) {
  EXPECT_EQ(duration_text(Millis{850}), "850ms");
  EXPECT_EQ(duration_text(Millis{4299}), "4.2s");
  EXPECT_EQ(duration_text(Millis{59'999}), "59.9s");
  EXPECT_EQ(duration_text(minutes{3} + seconds{12}), "3m12s");
  EXPECT_EQ(duration_text(hours{2} + minutes{5}), "2h05m");
  EXPECT_EQ(duration_text(days{3} + hours{4}), "3d04h");
  EXPECT_EQ(duration_text(Millis{-5}), "0ms") << "a clock that was set back";
  EXPECT_EQ(elapsed_text(Millis{12'900}), "12s");
}

TEST(CtlText, past_and_future_are_told_apart) {
  EXPECT_EQ(ago_text(kNow - Millis{400}, kNow), "now");
  EXPECT_EQ(ago_text(kNow - seconds{59}, kNow), "59s ago");
  EXPECT_EQ(ago_text(kNow - minutes{2}, kNow), "2m ago");
  EXPECT_EQ(ago_text(kNow - hours{47}, kNow), "47h ago");
  EXPECT_EQ(ago_text(kNow - days{3}, kNow), "3d ago");
  EXPECT_EQ(ago_text(kNow + minutes{2}, kNow), "in 2m");
}

TEST(CtlText, a_local_time_names_its_date_and_zone) {
  const char* before = std::getenv("TZ");
  const std::string old = before == nullptr ? "" : before;
  const auto in_zone = [](const char* zone) {
    setenv("TZ", zone, 1);
    tzset();
    return local_text(kNow);
  };
  EXPECT_EQ(in_zone("Europe/Berlin"), "2026-03-01 03:20:00 CET");
  EXPECT_EQ(in_zone("America/New_York"), "2026-02-28 21:20:00 EST");
  EXPECT_EQ(in_zone("UTC"), "2026-03-01 02:20:00 UTC");
  old.empty() ? unsetenv("TZ") : setenv("TZ", old.c_str(), 1);
  tzset();
}

TEST(CtlText, an_iso_time_survives_its_text) {
  for (const auto* text : {"2026-03-01T02:20:00.000Z", "1970-01-01T00:00:00.001Z", "2024-02-29T23:59:59.999Z"}) {
    EXPECT_EQ(to_iso(*parse_iso(text)), text);
  }
  EXPECT_EQ(parse_iso("2026-03-01"), parse_iso("2026-03-01T00:00:00Z"));
  EXPECT_EQ(parse_iso("2026-03-01 02:20"), kNow);
}

TEST(CtlText, what_is_no_time_is_refused) {
  for (const auto* text :
       {"", "now", "2026-13-01", "2026-02-30", "2026-03-01T25:00", "2026-03-01T02:20:00+01:00", "-001-01-01"}) {
    EXPECT_FALSE(parse_iso(text)) << text;
  }
}

TEST(CtlText, since_is_a_time_or_how_long_ago) {
  EXPECT_EQ(*parse_since("24h", kNow), kNow - hours{24});
  EXPECT_EQ(*parse_since("7d", kNow), kNow - days{7});
  EXPECT_EQ(*parse_since("2026-03-01T02:20:00Z", kNow), kNow);
  for (const auto* text : {"", "h", "24", "24w", "-3h", "yesterday"}) {
    const auto since = parse_since(text, kNow);
    ASSERT_FALSE(since) << text;
    EXPECT_EQ(since.error().code, ErrorCode::kUsage);
  }
}

TEST(CtlText, width_is_counted_in_columns) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("Größe"), 5U);
  EXPECT_EQ(display_width("注文"), 4U);
  EXPECT_EQ(display_width("e\xCC\x81"), 1U) << "a combining accent";
  EXPECT_EQ(display_width("✔✗○▶…"), 5U);
  EXPECT_EQ(display_width("\xFF\xFE"), 2U);
}

TEST(CtlText, what_is_cut_ends_with_an_ellipsis_and_never_within_a_character) {
  EXPECT_EQ(cut("orders", 6), "orders");
  EXPECT_EQ(cut("orders", 4), "ord…");
  EXPECT_EQ(cut("Größe", 4), "Grö…");
  EXPECT_EQ(cut("注文書", 4), "注…") << "two columns do not fit into one";
  EXPECT_EQ(cut("orders", 1), "…");
  EXPECT_EQ(cut("orders", 0), "");
}

TEST(CtlText, the_width_of_names_in_all_scripts_is_that_of_a_terminal) {
  EXPECT_EQ(display_width("✅ orders"), 9U);
  EXPECT_EQ(display_width("⭐kunden"), 8U);
  EXPECT_EQ(display_width("🟢a"), 3U);
  EXPECT_EQ(display_width("🫠b"), 3U);
  EXPECT_EQ(display_width("ครั้งที่"), 4U) << "vowels and tones above take none";
  EXPECT_EQ(display_width("हिन्दी"), 5U) << "the virama takes none";
  EXPECT_EQ(display_width("日本語"), 6U);
  EXPECT_EQ(display_width("👨‍👩‍👧"), 2U) << "joined to one";
  EXPECT_EQ(display_width("🇩🇪"), 2U);
  EXPECT_EQ(display_width("\u1100\u1161\u11A8"), 2U) << "one syllable of three letters";
  EXPECT_EQ(cut("👨‍👩‍👧 family", 3), "👨‍👩‍👧…");
}

TEST(CtlText, control_characters_do_not_reach_a_terminal) {
  EXPECT_EQ(printable("a\x1b[31mb\r\nc\td"), "a\\u001b[31mb  c d");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            "\\u009b31m")
      << "the one-byte CSI";
  EXPECT_EQ(printable("user\u202Egpj.exe"), "user\\u202egpj.exe");
  EXPECT_EQ(printable_lines("error\x07\nhint: x\rother"), "error\\u0007\n  hint: x other");
  EXPECT_EQ(printable("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(printable("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "a surrogate";
  EXPECT_EQ(printable("注文"), "注文");
}

}  // namespace
}  // namespace pipekit::ctl
