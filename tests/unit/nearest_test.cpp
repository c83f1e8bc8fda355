#include "shared/nearest.h"

#include <gtest/gtest.h>

namespace pipekit {
namespace {

const std::vector<std::string> kKeys = {"name", "source_query", "merge_strategy", "merge_key", "dest_table"};

TEST(Nearest, finds_the_key_that_a_typo_meant) {
  const std::pair<const char*, const char*> cases[] = {
      {"merge_stratgy", "merge_strategy"}, {"mergekey", "merge_key"},   {"Name", "name"}, {"nmae", "name"},
      {"source_qurey", "source_query"},    {"dest_tabel", "dest_table"}};
  for (const auto& [typo, meant] : cases) EXPECT_EQ(nearest(typo, kKeys), meant) << typo;
}

TEST(Nearest, is_silent_when_nothing_is_near) {
  for (const auto* word : {"", "q", "schedule_every_day", "xyz"}) EXPECT_EQ(nearest(word, kKeys), std::nullopt) << word;
  EXPECT_EQ(nearest("name", {}), std::nullopt);
}

TEST(Nearest, takes_the_first_of_equally_near_words) {
  const std::vector<std::string> known = {"orders1", "orders2"};
  EXPECT_EQ(nearest("orders", known), "orders1");
}

TEST(Nearest, counts_insertions_deletions_and_replacements) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("FULL", "full"), 0U);
}

TEST(Nearest, compares_long_words_by_their_beginning) {
  EXPECT_EQ(edit_distance(std::string(1'000'000, 'a'), std::string(1'000'000, 'a')), 0U);
}

TEST(Nearest, hints_at_the_word_or_lists_what_there_is) {
  EXPECT_EQ(did_you_mean("mergekey", kKeys), "did you mean 'merge_key'?");
  EXPECT_EQ(did_you_mean("zzzzzz", kKeys), "known: name, source_query, merge_strategy, merge_key, dest_table");
  EXPECT_EQ(did_you_mean("x", {}), "");
  const std::vector<std::string> many(30, "abcdefgh");
  EXPECT_TRUE(did_you_mean("zz", many).ends_with(", ..."));
}

}  // namespace
}  // namespace pipekit
