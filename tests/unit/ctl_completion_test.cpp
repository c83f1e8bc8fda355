// The words that are offered to the shell for a partly typed command.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/completion.h"
#include "ctl/help.h"

namespace pipekit::ctl {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;
using testing::StartsWith;

using Words = std::vector<std::string>;

Completion after(Words words) {
  static const auto kVerbs = all_verbs();
  return complete(kVerbs, std::move(words));
}

Words offered(Words words) {
  Words list;
  for (const auto& one : after(std::move(words)).candidates) list.push_back(one.word);
  return list;
}

TEST(Completion, begins_with_the_verbs_and_names_a_group_once) {
  EXPECT_THAT(offered({""}), IsSupersetOf({"run", "runs", "module", "status", "completion"}));
  EXPECT_THAT(offered({"runs", ""}), ElementsAre("list", "show", "logs"));
  EXPECT_THAT(offered({"ru"}), ElementsAre("run", "run-group", "runs"));
  EXPECT_THAT(offered({"nothing", ""}), IsEmpty());
  EXPECT_THAT(offered({"complete", ""}), IsEmpty()) << "no verb for people";
  EXPECT_THAT(offered({}), Contains("run"));
}

TEST(Completion, knows_every_verb_and_every_flag) {
  for (const auto& verb : all_verbs()) {
    const auto space = verb.path.find(' ');
    const auto words =
        space == std::string::npos ? Words{verb.path} : Words{verb.path.substr(0, space), verb.path.substr(space + 1)};
    EXPECT_THAT(offered(words), Contains(words.back())) << verb.path;
    auto with_dash = words;
    with_dash.emplace_back("--");
    for (const auto& flag : verb.flags) EXPECT_THAT(offered(with_dash), Contains("--" + flag.name)) << verb.path;
  }
}

TEST(Completion, offers_flags_that_have_not_been_given) {
  EXPECT_THAT(offered({"run", "orders", "--w"}), ElementsAre("--watch"));
  EXPECT_THAT(offered({"run", "--watch", "orders", "--"}), Not(Contains("--watch")));
  EXPECT_THAT(offered({"run", "--set", "a=1", "orders", "--"}), Contains("--set")) << "may be repeated";
  EXPECT_THAT(offered({"module", "update", "x", "--no-u"}), ElementsAre("--no-unique-key"));
  EXPECT_THAT(offered({"status", ""}), Contains("--output")) << "nothing else can follow";
}

TEST(Completion, of_a_value_offers_the_only_ones_allowed) {
  EXPECT_THAT(offered({"-o", ""}), ElementsAre("table", "json", "yaml", "csv"));
  EXPECT_THAT(offered({"runs", "list", "--status", "s"}), ElementsAre("success"));
  EXPECT_THAT(offered({"completion", ""}), ElementsAre("bash", "zsh", "fish"));
  const auto joined = after({"status", "--output=j"});
  EXPECT_EQ(joined.prefix, "--output=");
  ASSERT_EQ(joined.candidates.size(), 1U);
  EXPECT_EQ(joined.candidates[0].word, "json");
}

TEST(Completion, says_of_what_the_broker_knows_the_names) {
  const std::vector<std::pair<Words, Words>> cases = {
      {{"run", ""}, {"module"}},
      {{"run-group", "n"}, {"group"}},
      {{"why", ""}, {"module", "run"}},
      {{"module", "show", ""}, {"module"}},
      {{"connection", "test", ""}, {"connection"}},
      {{"driver", "remove", ""}, {"driver"}},
      {{"group", "add-member", "nightly", ""}, {"module"}},
      {{"runs", "show", ""}, {"run"}},
      {{"group-runs", "show", ""}, {"group run"}},
      {{"schedule", "disable", ""}, {"schedule"}},
      {{"settings", "get", ""}, {"setting"}},
      {{"runs", "list", "--module", ""}, {"module"}},
      {{"watermark", "list", "--module", ""}, {"module"}},
      {{"module", "update", "x", "--dest-connection", ""}, {"connection"}},
      {{"events", "tail", "--run", ""}, {"run"}},
      {{"-o", "json", "--data-dir", "/x", "cancel", ""}, {"run"}},
      {{"cancel", "--group="}, {"group"}},
      {{"module", "add", ""}, {}},
      {{"runs", "list", "--limit", ""}, {}},
  };
  for (const auto& [words, nouns] : cases) EXPECT_EQ(after(words).nouns, nouns) << testing::PrintToString(words);
}

TEST(Completion, leaves_files_to_the_shell) {
  EXPECT_TRUE(after({"apply", "-f", ""}).files);
  EXPECT_TRUE(after({"--data-dir", "/t"}).files);
  EXPECT_TRUE(after({"module", "add", "x", "--source-query-file", ""}).files);
  EXPECT_FALSE(after({"run", ""}).files);
}

TEST(Completion, asks_the_broker_that_the_line_names) {
  const auto typed = after({"--data-dir", "/a", "run", "--broker=tcp://h:1", "-ojson", "o"});
  EXPECT_EQ(typed.global.text("data-dir"), "/a");
  EXPECT_EQ(typed.global.text("broker"), "tcp://h:1");
  EXPECT_EQ(typed.global.text("output"), "json");
  EXPECT_EQ(typed.typed, "o");
}

TEST(Completion, has_a_script_for_each_shell) {
  for (const auto* shell : {"bash", "zsh", "fish"}) {
    const auto script = completion_script(shell);
    ASSERT_TRUE(script) << shell;
    EXPECT_THAT(*script, testing::HasSubstr("complete -- ")) << shell;
    EXPECT_THAT(*script, testing::HasSubstr(":files")) << shell;
  }
  EXPECT_EQ(completion_script("tcsh").error().code, ErrorCode::kUsage);
}

}  // namespace
}  // namespace pipekit::ctl
