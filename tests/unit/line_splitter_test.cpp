#include "worker/line_splitter.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/support/chunks.h"

namespace pipekit::worker {
namespace {

using namespace std::string_literals;
using Lines = std::vector<std::string>;

Lines split(const std::vector<std::string_view>& chunks, std::size_t max_line = LineSplitter::kMaxLine) {
  Lines lines;
  LineSplitter splitter(max_line);
  const auto sink = [&](std::string line) { lines.push_back(std::move(line)); };
  for (const auto chunk : chunks) splitter.feed(chunk, sink);
  splitter.finish(sink);
  return lines;
}

struct Case {
  std::string input;
  Lines expected;
};

TEST(LineSplitter, delivers_the_same_clean_lines_however_the_input_is_cut) {
  const std::vector<Case> cases = {
      {"", {}},
      {"a\nb\n", {"a", "b"}},
      {"a\nno newline", {"a", "no newline"}},
      {"\n\n", {"", ""}},
      {"dos\r\nunix\nlast\r", {"dos", "unix", "last"}},
      {"\r\r\n\r", {"", ""}},
      {"10%\r20%\rdone\n", {"done"}},
      {"10%\r20%\r", {"20%"}},
      {"10%\r20%\r\r\nnext", {"20%", "next"}},
      {"100%\r5%\n", {"5%"}},
      {"\r10%\r20%\n\rx\n", {"20%", "x"}},
      {"50%\r\x1B[K\n", {"50%"}},  // what only erases is no state
      {"50%\r\x1B[2K60%\n", {"60%"}},
      {"cut \xE6\rnext\n", {"next"}},
      {"tab\there\n", {"tab\there"}},
      {"nul\0in\n"s, {"nul\uFFFDin"}},
      {"\x1B[31mred\x7F\n", {"red\uFFFD"}},
      {"\x1B[1;38:5:200;4 q\x1B[?25lx\x1B[0m\n", {"x"}},
      {"\x1B]0;title\x07x\x1B]8;;http://h/\xC3\xBC\x1B\\link\x1B]8;;\x1B\\\n", {"xlink"}},
      {"\x1BP1$r0m\x1B\\a\x1BX sos \x1B\\b\x1B^pm\x1B\\c\x1B_apc\xC2\x9C"
       "d\n",
       {"abcd"}},
      {"\x1B(B\x1B)0\x1B%Gx\x1B#8y\x1B$(Cz\n", {"xyz"}},
      {"\x1B"
       "7a\x1B"
       "8b\x1B=c\x1B>d\x1BMe\x1B"
       "cf\n",
       {"abcdef"}},
      {"\xC2\x9B"
       "31mx\xC2\x9D"
       "0;t\xC2\x9Cy\xC2\x90q\x1B\\z\n",
       {"xyz"}},
      {"\xC2\x85\xC2\x84\n", {"\uFFFD\uFFFD"}},  // other C1 controls
      // Not complete: nothing that could be read is lost.
      {"\x1B\n", {"\uFFFD"}},
      {"\x1B[31\nm\n", {"\uFFFD[31", "m"}},
      {"\x1B[3\xE6\x9D\xB1\n", {"\uFFFD[3東"}},
      {"\x1B[3\x1B[4mx\n", {"\uFFFD[3x"}},
      {"\x1B]0;title\nx\n", {"\uFFFD]0;title", "x"}},
      {"\x1B]0;t\x1B[1mx\n", {"\uFFFD]0;tx"}},
      {"\x1B]0;t\x1B\n", {"\uFFFD]0;t\uFFFD"}},
      {"\x1B]0;t\x1B", {"\uFFFD]0;t\uFFFD"}},
      {"\x1B]0;t\x18x\n", {"\uFFFD]0;t\uFFFDx"}},
      {"\x1B]0;t\rx\n", {"x"}},
      {"\x1B]0;\xFF\xE6\x9D\n", {"\uFFFD]0;\uFFFD\uFFFD"}},
      {"\x1B(\x01\n", {"\uFFFD(\uFFFD"}},
      {"\xC2\x9B"
       "3\n",
       {"\uFFFD3"}},
      {"Zürich — 東京 🚚\n", {"Zürich — 東京 🚚"}},
      {"latin \xFC!\n", {"latin \uFFFD!"}},
      {"cut short \xE6\x9D\nnext\n", {"cut short \uFFFD", "next"}},
      {"at the end \xF0\x9F\x9A", {"at the end \uFFFD"}},
      {"overlong \xC0\xAF\n", {"overlong \uFFFD\uFFFD"}},
      {"overlong \xE0\x80\x80\n", {"overlong \uFFFD\uFFFD\uFFFD"}},
      {"surrogate \xED\xA0\x80\n", {"surrogate \uFFFD\uFFFD\uFFFD"}},
      {"too high \xF4\x90\x80\x80\n", {"too high \uFFFD\uFFFD\uFFFD\uFFFD"}},
      {"two leads \xE6\xE6\x9D\xB1\n", {"two leads \uFFFD東"}},
      {"\xE6\r\n", {"\uFFFD"}},
  };
  for (const auto& [input, expected] : cases) {
    for (const auto& chunks : test::all_chunkings(input)) EXPECT_EQ(split(chunks), expected) << input;
  }
}

TEST(LineSplitter, cuts_a_long_line_and_counts_what_it_dropped) {
  const std::vector<Case> cases = {
      {"12345678\nnext\n", {"12345678", "next"}},
      {"123456789\nnext\n", {"12345678… [1 bytes cut]", "next"}},
      {"123456789\r\nnext", {"12345678… [1 bytes cut]", "next"}},
      {"12345678\r\n", {"12345678"}},
      {"1234567東京\n", {"1234567… [6 bytes cut]"}},   // a character is not cut apart
      {"1234567東12\n", {"1234567… [5 bytes cut]"}},   // nor is what follows it pulled forward
      {"1234567\xFFz\n", {"1234567… [2 bytes cut]"}},  // a replacement counts as the bytes it replaces
      {"12345\xFF"
       "678\n",
       {"12345\uFFFD… [3 bytes cut]"}},
      {"123456789\rshort\n", {"short"}},  // what was replaced was not cut
      {"123456789\r123456789\n", {"12345678… [1 bytes cut]"}},
      {"12345\x1B[31m678\n", {"12345678"}},  // what is removed takes no room
      {"\x1B]0;123456789\x07"
       "12345678\n",
       {"12345678"}},
      {"\x1B]0;123456789\n", {"\uFFFD]0;12… [7 bytes cut]"}},
  };
  for (const auto& [input, expected] : cases) {
    for (const auto& chunks : test::all_chunkings(input)) EXPECT_EQ(split(chunks, 8), expected) << input;
  }
}

TEST(LineSplitter, random_bytes_give_the_same_bounded_lines_however_they_are_cut) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    std::string input(300, '\0');
    for (auto& byte : input)
      byte = static_cast<char>(random() % 2 == 0 ? "\n\r\xE6\x9D\x1B[];m\x07\\\xC2\x9B\x9C"[random() % 14]
                                                 : random() % 256);
    const auto expected = split({input}, 40);
    for (const auto& line : expected) EXPECT_LE(line.size(), 40 + "… [300 bytes cut]"s.size());
    for (const auto& chunks : test::all_chunkings(input)) EXPECT_EQ(split(chunks, 40), expected);
  }
}

TEST(LineSplitter, an_escape_sequence_without_end_costs_a_line_and_no_more) {
  const std::string block(std::size_t{1} << 20, 'x');
  Lines lines;
  LineSplitter splitter;
  const auto sink = [&](std::string line) { lines.push_back(std::move(line)); };
  splitter.feed("\x1B]0;", sink);
  for (int i = 0; i < 50; ++i) splitter.feed(block, sink);
  splitter.feed("\nafter\n", sink);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_LT(lines[0].size(), LineSplitter::kMaxLine + 100);
  EXPECT_EQ(lines[1], "after");
}

TEST(LineSplitter, tells_the_state_of_a_line_that_is_rewritten) {
  LineSplitter splitter;
  const auto none = [](const std::string&) { FAIL(); };
  splitter.feed("working...", none);
  EXPECT_EQ(splitter.take_state(), std::nullopt) << "an ordinary line comes when it ends";
  splitter.feed("\r20%\r", none);
  EXPECT_EQ(splitter.take_state(), "20%");
  EXPECT_EQ(splitter.take_state(), std::nullopt) << "once";
  splitter.feed("40%\r60", none);
  EXPECT_EQ(splitter.take_state(), "60");
  splitter.feed("%\r\x1B[K", none);
  EXPECT_EQ(splitter.take_state(), "60%");
  splitter.feed("\r" + std::string(5000, 'x'), none);
  EXPECT_EQ(splitter.take_state(), std::string(LineSplitter::kMaxState, 'x'));
  Lines lines;
  splitter.feed("\n", [&](std::string line) { lines.push_back(std::move(line)); });
  EXPECT_EQ(lines, Lines{std::string(5000, 'x')});
  EXPECT_EQ(splitter.take_state(), std::nullopt);
}

TEST(LineSplitter, a_line_of_50_mb_becomes_64_kib_and_a_count) {
  const std::string block(std::size_t{1} << 20, 'x');
  Lines lines;
  LineSplitter splitter;
  const auto sink = [&](std::string line) { lines.push_back(std::move(line)); };
  for (int i = 0; i < 50; ++i) splitter.feed(block, sink);
  splitter.feed("\nafter\n", sink);
  const auto cut = (std::size_t{50} << 20) - LineSplitter::kMaxLine;
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], std::string(LineSplitter::kMaxLine, 'x') + "… [" + std::to_string(cut) + " bytes cut]");
  EXPECT_EQ(lines[1], "after");
}

}  // namespace
}  // namespace pipekit::worker
