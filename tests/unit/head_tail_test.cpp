#include "worker/head_tail.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace pipekit::worker {
namespace {

struct Case {
  std::size_t head;
  std::size_t tail;
  std::vector<std::string> lines;
  std::string expected;
};

TEST(HeadTail, keeps_whole_lines_of_both_ends) {
  const std::vector<Case> cases = {
      {10, 10, {}, ""},
      {10, 10, {"a", "b"}, "a\nb\n"},
      {4, 4, {"a", "b", "c", "d"}, "a\nb\nc\nd\n"},
      {4, 4, {"a", "b", "c", "d", "e"}, "a\nb\n… 2 bytes elided …\nd\ne\n"},
      {5, 5, {"a", "b", "cc", "d", "e", "f"}, "a\nb\n… 5 bytes elided …\ne\nf\n"},
      {4, 4, {"too long", "a", "b", "c"}, "… 11 bytes elided …\nb\nc\n"},  // the head ends before it
      {4, 4, {"a", "b", "c", "3 rows staged"}, "a\nb\n… 2 bytes elided …\n3 rows staged\n"},
      {0, 0, {"a", "b"}, "… 2 bytes elided …\nb\n"},
      {0, 4, {"", "", "", "", ""}, "… 1 bytes elided …\n\n\n\n\n"},
  };
  for (const auto& [head, tail, lines, expected] : cases) {
    HeadTail kept(head, tail);
    for (const auto& line : lines) kept.add_line(line);
    EXPECT_EQ(kept.text(), expected);
  }
}

TEST(HeadTail, counts_every_byte_that_it_does_not_keep) {
  HeadTail kept(1000, 2000);
  uint64_t total = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto line = "line " + std::to_string(i);
    total += line.size() + 1;
    kept.add_line(line);
  }
  const auto marker = "… " + std::to_string(kept.elided_bytes()) + " bytes elided …\n";
  EXPECT_LE(kept.text().size(), 3000 + marker.size());
  EXPECT_EQ(kept.text().size() - marker.size() + kept.elided_bytes(), total);
}

}  // namespace
}  // namespace pipekit::worker
