#include <gtest/gtest.h>

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

TEST(CtlText, control_characters_do_not_reach_a_terminal) {
  EXPECT_EQ(printable("a\x1b[31mb\r\nc\td"), "a [31mb  c d");
  EXPECT_EQ(printable("\xC2\x9B"
                      "31m"),
            " 31m")
      << "the one-byte CSI";
  EXPECT_EQ(printable("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(printable("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "a surrogate";
  EXPECT_EQ(printable("注文"), "注文");
}

}  // namespace
}  // namespace pipekit::ctl
