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
      {"\r\r\n\r", {"\uFFFD", ""}},
      {"10%\r20%\rdone\n", {"10%\uFFFD20%\uFFFDdone"}},
      {"tab\there\n", {"tab\there"}},
      {"nul\0in\n"s, {"nul\uFFFDin"}},
      {"\x1B[31mred\x7F\n", {"\uFFFD[31mred\uFFFD"}},
      {"Zürich — 東京 🚚\n", {"Zürich — 東京 🚚"}},
      {"latin \xFC!\n", {"latin \uFFFD!"}},
      {"cut short \xE6\x9D\nnext\n", {"cut short \uFFFD", "next"}},
      {"at the end \xF0\x9F\x9A", {"at the end \uFFFD"}},
      {"overlong \xC0\xAF\n", {"overlong \uFFFD\uFFFD"}},
      {"overlong \xE0\x80\x80\n", {"overlong \uFFFD\uFFFD\uFFFD"}},
      {"surrogate \xED\xA0\x80\n", {"surrogate \uFFFD\uFFFD\uFFFD"}},
      {"too high \xF4\x90\x80\x80\n", {"too high \uFFFD\uFFFD\uFFFD\uFFFD"}},
      {"c1 \xC2\x9B"
       "31m\n",
       {"c1 \uFFFD\uFFFD31m"}},
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
      {"1\r2\r3\r4\r5\r\n", {"1\uFFFD2\uFFFD… [5 bytes cut]"}},
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
      byte = static_cast<char>(random() % 4 == 0 ? "\n\r\xE6\x9D"[random() % 4] : random() % 256);
    const auto expected = split({input}, 40);
    for (const auto& line : expected) EXPECT_LE(line.size(), 40 + "… [300 bytes cut]"s.size());
    for (const auto& chunks : test::all_chunkings(input)) EXPECT_EQ(split(chunks, 40), expected);
  }
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
