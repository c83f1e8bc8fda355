#include "worker/masker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "tests/support/chunks.h"
#include "worker/secret_forms.h"

namespace pipekit::worker {
namespace {

using Secrets = std::vector<std::string>;

std::string stream(Masker masker, const std::vector<std::string_view>& chunks) {
  std::string result;
  for (const auto chunk : chunks) result += masker.feed(chunk);
  return result += masker.finish();
}

struct Case {
  Secrets secrets;
  std::string input;
  std::string expected;
};

TEST(Masker, replaces_secrets_the_same_however_the_input_is_cut) {
  const std::vector<Case> cases = {
      {{"hunter2"}, "password=hunter2;", "password=****;"},
      {{"hunter2"}, "hunter2hunter2", "********"},
      {{"hunter2"}, "hunterhunter2 hunter", "hunter**** hunter"},
      {{"hunter2"}, "nothing here", "nothing here"},
      {{}, "nothing to hide", "nothing to hide"},
      {{"", "a", "abc"}, "a abc abcd", "a abc abcd"},  // too short to be masked
      {{"pass", "password"}, "my password, my pass", "my ****, my ****"},
      {{"abcdef", "efghij"}, "-abcdefghij-", "-****-"},  // both occur, and nothing of either may remain
      {{"bcde", "abcdefgh"}, "abcdefgh abcdefgX", "**** a****fgX"},
      {{"cdef", "bcdefg", "abcdefgh"}, "xabcdefghx", "x****x"},
      {{"abca"}, "abcabcabca", "****"},
      {{"aaaa"}, "baaab aaaaaaa", "baaab ****"},
      {{"two\nlines"}, "x two\nlines y", "x **** y"},
      {{"p@ss w/rd"}, "p@ss w/rd p%40ss%20w%2Frd p%40ss%20w%2frd p%40ss+w%2Frd", "**** **** **** ****"},
      {{"it's"}, "'it''s' \\\"it\\'s\\\" 'it'\\''s'", "'****' \\\"****\\\" '****'"},
      {{"a\"b\\c"}, R"({"p":"a\"b\\c"} a""b\c)", R"({"p":"****"} ****)"},
      {{"<&>x"}, "&lt;&amp;&gt;x", "****"},
      {{"geheimß"}, "geheim%C3%9F \"geheim\\u00df\"", "**** \"****\""},
      {{"secret"}, "c2VjcmV0 c2VjcmV0cw", "**** ****cw"},
      {{"secrets"}, "basic c2VjcmV0cw== c2VjcmV0cw.", "basic **** ****."},
      {{"?>?>~~"}, "Pz4/Pn5+ Pz4_Pn5-", "**** ****"},
  };
  for (const auto& [secrets, input, expected] : cases) {
    const Masker masker(secrets);
    EXPECT_EQ(masker.mask(input), expected);
    for (const auto& chunks : test::all_chunkings(input)) EXPECT_EQ(stream(masker, chunks), expected) << input;
  }
}

// Slow but obvious: mark every occurrence, then write one mask for each sequence of overlapping ones.
std::string masked_by_definition(const Secrets& secrets, const std::string& text) {
  std::vector<std::size_t> reach(text.size(), 0);  // [at]: end of the longest occurrence that begins here
  for (const auto& secret : secrets) {
    for (const auto& form : secret_forms(secret)) {
      for (auto at = text.find(form); at != std::string::npos; at = text.find(form, at + 1)) {
        reach[at] = std::max(reach[at], at + form.size());
      }
    }
  }
  std::string result;
  for (std::size_t at = 0, end = 0; at < text.size(); ++at) {
    if (reach[at] > 0 && at >= end) result += "****";
    end = std::max(end, reach[at]);
    if (at >= end) result += text[at];
  }
  return result;
}

TEST(Masker, agrees_with_the_definition_on_random_overlaps) {
  std::mt19937 random(11);
  const auto word = [&](std::size_t size) {
    std::string text(size, ' ');
    for (auto& c : text) c = "ab"[random() % 2];
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    const Secrets secrets = {word(4 + random() % 2), word(5 + random() % 3), word(7)};
    const auto text = word(80);
    const auto expected = masked_by_definition(secrets, text);
    const Masker masker(secrets);
    EXPECT_EQ(masker.mask(text), expected);
    EXPECT_EQ(stream(masker, test::random_chunks(text, static_cast<unsigned>(round))), expected);
  }
}

TEST(Masker, holds_back_no_more_than_what_may_be_a_secret) {
  Masker masker(Secrets{"hunter2"});
  EXPECT_EQ(masker.feed("line\n"), "line\n");
  EXPECT_EQ(masker.feed("x hunt"), "x ");
  EXPECT_EQ(masker.feed("ing"), "hunting");
  EXPECT_EQ(masker.feed("hunter"), "");
  EXPECT_EQ(masker.feed("2"), "****");
  EXPECT_EQ(masker.feed("hunter"), "");
  EXPECT_EQ(masker.finish(), "hunter");
  EXPECT_EQ(masker.feed("2"), "2");  // as in the initial state
}

TEST(Masker, an_endless_overlap_is_one_mask_and_takes_no_memory) {
  Masker masker(Secrets{"aaaa"});
  const std::string block(std::size_t{1} << 20, 'a');
  std::string result;
  for (int i = 0; i < 20; ++i) result += masker.feed(block);
  EXPECT_EQ(result + masker.finish(), "****");
}

TEST(Masker, masking_a_string_leaves_the_stream_alone) {
  Masker masker(Secrets{"hunter2"});
  EXPECT_EQ(masker.feed("hun"), "");
  EXPECT_EQ(masker.mask("ter2 hunter2"), "ter2 ****");
  EXPECT_EQ(masker.feed("ter2"), "****");
}

}  // namespace
}  // namespace pipekit::worker
