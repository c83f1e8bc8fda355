#include "shared/utf8.h"

#include <gtest/gtest.h>

namespace pipekit {
namespace {

TEST(Utf8, tells_where_a_text_stops_being_valid) {
  const std::pair<std::string, size_t> cases[] = {
      {"", 0},
      {"abc", 3},
      {"\xc3\xa9", 2},
      {"\xe2\x82\xac", 3},
      {"\xf0\x9f\x98\x80", 4},
      {"a\xff", 1},
      {"a\xc3", 1},                 // cut short
      {"ab\xc0\x80", 2},            // overlong
      {"\xe0\x80\x80", 0},          // overlong
      {"\xed\xa0\x80", 0},          // a surrogate
      {"\xf4\x90\x80\x80", 0},      // past the last character
      {"\xf8\x88\x80\x80\x80", 0},  // five bytes
      {"\x80", 0},                  // a continuation alone
  };
  for (const auto& [text, valid] : cases) EXPECT_EQ(valid_utf8_prefix(text), valid) << text;
}

}  // namespace
}  // namespace pipekit
