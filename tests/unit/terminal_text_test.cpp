#include "shared/terminal_text.h"

#include <gtest/gtest.h>
#include <spdlog/sinks/ostream_sink.h>

#include <sstream>

#include "shared/log_format.h"
#include "shared/protocol.h"

namespace pipekit {
namespace {

TEST(TerminalText, shows_what_would_act_as_an_escape) {
  EXPECT_EQ(terminal_text("a\x1b[2Jb"), "a\\u001b[2Jb");
  EXPECT_EQ(terminal_text("\xC2\x9B"
                          "31m"),
            "\\u009b31m");
  EXPECT_EQ(terminal_text("a\u202Eb\u2066c\u061C\u200F"), "a\\u202eb\\u2066c\\u061c\\u200f");
  EXPECT_EQ(terminal_text("a\u2028b\u0085"), "a\\u2028b\\u0085");
  EXPECT_EQ(terminal_text("\uFEFFx\U000E0041"), "\\ufeffx\\udb40\\udc41");
  EXPECT_EQ(terminal_text(std::string("a\0b\x7F", 4)), "a\\u0000b\\u007f");
}

TEST(TerminalText, keeps_lines_and_what_people_write) {
  EXPECT_EQ(terminal_text("a\n\tb\r\nc"), "a\n b\nc");
  EXPECT_EQ(data_text("a\n\tb\r\nc\rd\x1b"), "a\n\tb\r\nc\\u000dd\\u001b");
  EXPECT_EQ(terminal_text("50%\r100%\r"), "50%\\u000d100%\\u000d") << "the cursor stays where it is";
  for (const auto* text : {"Größe", "注文", "ครั้งที่", "हिन्दी", "👨‍👩‍👧", "می‌خواهم", "✔ …", ""})
    EXPECT_EQ(terminal_text(text), text);
  EXPECT_EQ(terminal_line("a\nb\tc\r\nd"), "a b c  d");
}

TEST(TerminalText, bytes_that_are_no_character_are_replaced_one_by_one) {
  EXPECT_EQ(terminal_text("a\xFFz"), "a\uFFFDz");
  EXPECT_EQ(terminal_text("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD") << "a surrogate";
  EXPECT_EQ(terminal_text("\xE2\x80"), "\uFFFD\uFFFD") << "cut off";
  EXPECT_EQ(terminal_text("\x9B"), "\uFFFD");
}

TEST(TerminalText, json_stays_the_same_json) {
  const Json value = {{"a\u202E", "\x1b[2J\u2028\u0085\U000E0041\x7F\t\n\"\\"}, {"b", {1, nullptr}}};
  EXPECT_EQ(Json::parse(terminal_text(value.dump(2))), value);
  EXPECT_NE(terminal_text(value.dump()), value.dump());
}

TEST(LogFormat, no_message_acts_on_a_terminal_or_looks_like_another_entry) {
  std::ostringstream out;
  spdlog::logger logger("program", std::make_shared<spdlog::sinks::ostream_sink_st>(out));
  logger.set_formatter(log_formatter());
  logger.info("worker {} joined", "w\x1b]0;t\x07\n2026-03-01T00:00:00.000 error program: forged");
  const auto line = out.str();
  EXPECT_NE(line.find("info program: worker w\\u001b]0;t\\u0007\n    2026-03-01"), std::string::npos) << line;
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_TRUE(line.ends_with("forged joined\n")) << line;
}

}  // namespace
}  // namespace pipekit
