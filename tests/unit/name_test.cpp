#include "shared/name.h"

#include <gtest/gtest.h>

namespace pipekit {
namespace {

TEST(Name, may_have_what_people_can_read) {
  for (const auto* name : {"orders", "Bestellungen 2026", "Größe_ä.b-c", "注文", "заказы", "emoji 🙂", "a/b:c"}) {
    EXPECT_FALSE(forbidden_in_name(name)) << name;
  }
}

TEST(Name, has_no_character_that_a_terminal_obeys_or_nobody_sees) {
  struct {
    const char* name;
    const char* said;
  } const names[] = {
      {"a\x1b[31m", "U+001B"},
      {"a\nb", "U+000A"},
      {"\x7f", "U+007F"},
      {"a\xc2\x85", "U+0085"},
      {"a\xc2\x9b", "U+009B"},
      {"a\xe2\x80\xa8", "U+2028"},
      {"a\xe2\x80\xa9", "U+2029"},
      {"\xe2\x80\xae"
       "a",
       "U+202E"},
      {"a\xe2\x81\xa6", "U+2066"},
      {"a\xe2\x80\x8b", "U+200B"},
      {"\xef\xbb\xbf"
       "a",
       "U+FEFF"},
      {"a\xd8\x9c", "U+061C"},
      {"a\xc2\xad", "U+00AD"},
      {"a\xf3\xa0\x81\x81", "U+E0041"},
      {"a\xe3\x85\xa4", "U+3164"},
      {"a\xff", "a byte that is not UTF-8"},
  };
  for (const auto& [name, said] : names) EXPECT_EQ(forbidden_in_name(name), said) << name;
}

TEST(Name, that_is_a_number_is_known) {
  EXPECT_TRUE(is_only_digits("2"));
  EXPECT_TRUE(is_only_digits("0042"));
  EXPECT_FALSE(is_only_digits(""));
  EXPECT_FALSE(is_only_digits("2a"));
  EXPECT_FALSE(is_only_digits("-2"));
}

}  // namespace
}  // namespace pipekit
