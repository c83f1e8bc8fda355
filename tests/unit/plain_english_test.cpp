// Documents, help, messages and comments are plain English, without phrases that readers stumble over
// (docs/CONTRIBUTING.md, English). To reject another phrase, add it to kPhrases with the better words.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <initializer_list>

#include "tests/support/prose.h"
#include "tests/support/temp_dir.h"

namespace pipekit::test {
namespace {

using ::testing::IsEmpty;
namespace fs = std::filesystem;

struct Phrase {
  std::initializer_list<std::string_view> forms;
  std::string_view better;
};

const Phrase kPhrases[] = {
    // Words that mean something else in English, or for which operators have another word.
    {{"mend", "mends", "mended", "mending"}, "fix"},
    {{"stand", "stands", "stood"}, "is, are, contains, is in"},
    {{"one's own", "of one's"}, "your, separate, its own"},
    {{"is told", "are told", "be told", "is told of", "are told of", "told of"}, "is reported, gets"},
    {{"is asked of", "are asked of", "be asked of", "was asked of", "asked of"}, "is read from"},
    {{"side by side"}, "in parallel"},
    {{"nominal time", "nominal times"}, "scheduled time"},
    {{"in step", "kept in step", "keeps in step"}, "in sync"},
    {{"shut out", "shuts out", "let in", "lets in", "let anybody in", "lets anybody in", "let it in"}, "revoke, admit"},
    {{"carry rows", "carries rows", "carried rows", "carry the rows", "carries the rows", "carry a run",
      "carries a run"},
     "move, copy, carry out"},
    {{"ends in error", "end in error", "ended in error", "ends in an error", "end in an error", "ended in an error",
      "ends the run in error", "end the run in error", "ends that run in an error"},
     "fails"},
    {{"is through", "are through"}, "is finished"},
    {{"is made", "are made", "made by flags"}, "is created"},
    {{"is put in", "are put in", "be put in"}, "is inserted"},
    {{"wants a", "wants to", "wants the", "wants no", "wants one"}, "needs, expects"},
    {{"takes questions", "a question to a worker", "questions to workers", "a question is"},
     "connection test or preview"},
    {{"hangs up", "hung up", "hang up"}, "closes the connection"},
    {{"knock", "knocks", "knocked"}, "try to connect"},
    {{"last word", "last words"}, "last message, final fact"},
    {{"for good"}, "permanently"},
    {{"anew"}, "again"},
    {{"beforehand"}, "first"},
    {{"goes on", "went on", "gone on", "goes on to"}, "continues"},
    {{"the rights", "these rights", "no rights", "without rights", "rights on"}, "privileges, permissions"},
    {{"see to the disk", "sees to"}, "check"},
    {{"asked run", "asked runs"}, "cancelling run"},
    {{"an argument too many"}, "unexpected argument"},
    {{"the change of the clocks"}, "daylight-saving change"},
    {{"strangers' bytes"}, "bytes from untrusted sources"},
    {{"unasked"}, "without permission"},
    {{"thereof", "whereof", "therein", "wherein", "hereby", "whereupon", "thereupon"}, "plain words"},
    // Clauses instead of a noun.
    {{"who comes", "who came", "whoever comes", "who speaks", "who has it knows", "who listens there", "who asks"},
     "name them: clients, workers, peers"},
    {{"what has expired", "what is new", "what it remembers", "what stands", "what came after", "what has arrived is"},
     "name it: data, rows, events"},
    {{"what it waits for is", "or what else", "and what else"}, "say what it is"},
    {{"all that is known", "all that is kept", "has all that"}, "everything, all stored events"},
    {{"is of no database", "alone is none", "that is none"}, "say what it is not"},
    {{"failed of", "fails of"}, "failed because of"},
    // Set phrases.
    {{"but for", "and but for"}, "except for"},
    {{"further ado"}, "by default"},
    {{"do as well", "does as well"}, "work too"},
    {{"plays no part", "play no part"}, "is ignored"},
    {{"to the last detail"}, "list, show all"},
    {{"of one's own choosing"}, "by hand"},
    {{"in sight"}, "on screen"},
    {{"acquainted"}, "set up"},
    {{"speaks encrypted", "speak encrypted"}, "is encrypted"},
    {{"by themselves run", "looks only forward", "look only forward"}, "affects only the future"},
    {{"comes by itself"}, "happens automatically"},
    {{"still to come", "yet to come"}, "planned, missing"},
    {{"some ten", "some twelve", "some twenty", "some hundred", "some thousand"}, "about ten"},
    {{"a text or", "text needs"}, "a string"},
    // Sentences that had to be read twice.
    {{"never see half of"}, "atomic: readers never see a half-updated table"},
    {{"ends with its reason", "end with its reason"}, "ends with a recorded reason"},
    {{"in a second and what it takes"}, "throughput and resource use"},
    {{"where some are missing"}, "missing"},
    {{"from where to where", "in its order"}, "say which source, destination, order"},
    {{"how much at once"}, "how many runs at once"},
    {{"answers for programs", "answer for programs"}, "prints JSON"},
    {{"need none", "needs none", "go elsewhere", "have others"}, "say what"},
    {{"shuts a key out", "shut a key out"}, "revokes a key"},
    {{"to begin with"}, "example"},
    {{"as they might be found"}, "typical"},
    {{"stays as it is", "stay as they are"}, "is left alone"},
    {{"which is the one that"}, "because"},
    {{"have each their", "has each its"}, "each have their"},
    {{"spoil", "spoils", "spoiled", "spoilt"}, "corrupt, break"},
    {{"the mark stays"}, "the drain survives restarts"},
    {{"a group at times"}, "at the times of"},
    {{"one broker to a store"}, "one broker per store"},
    {{"what it has answered", "what was answered"}, "acknowledged commands"},
    {{"that is no run", "are no facts"}, "is not a"},
    {{"as wide as it gets"}, "not truncated"},
    {{"there are no names"}, "names are not completed"},
    {{"sent and awaited"}, "requests and replies"},
    {{"a second one at once", "when one of them ends by itself"}, "press it again to stop at once"},
    {{"what they do and may"}, "load, tags and state"},
    {{"where each value is from"}, "where each value comes from"},
    {{"one a line", "one object a line", "a line each"}, "one per line"},
    {{"with a smaller number"}, "with a lower ID"},
    {{"what the wizard"}, "hide it"},
    {{"ask a worker to connect", "asks a worker to connect"}, "test a connection"},
    {{"go over it", "goes over it"}, "override it"},
    {{"end with the first member", "ends with the first member"}, "stop after the first member that fails"},
    {{"run by themselves", "runs by itself"}, "run on a schedule"},
    {{"whose keys are allowed", "whose key was allowed"}, "allowed keys"},
    {{"so many runs", "so many rows", "so many events"}, "this many"},
    {{"kept from its beginning", "kept from its end"}, "bytes kept from the start"},
    {{"gives another:"}, "can change the role"},
    {{"nothing new runs it"}, "no new runs will start"},
    {{"a newer time had come"}, "superseded by a later scheduled time"},
    {{"a character of other schedulers"}, "is not supported here"},
    {{"time was over", "time is over"}, "timed out"},
    {{"the configuration is right"}, "configuration is valid"},
    {{"nothing was changed yet"}, "no matching audit entries"},
};

// Contexts in which a phrase is right, and why.
struct Exception {
  std::string_view phrase;
  std::string_view within;
  std::string_view reason;
};

const Exception kExceptions[] = {
    {"stand", "stand-in", "a replacement"},       {"stand", "stand for", "to mean"},
    {"stands", "stands for", "to mean"},          {"is made", "is made of", "to consist of"},
    {"are made", "are made of", "to consist of"},
};

bool is_excepted(const Passage& passage, size_t at, std::string_view phrase) {
  const std::string_view text = passage.text;
  return std::ranges::any_of(kExceptions, [&](const Exception& exception) {
    return exception.phrase == phrase && text.substr(at).starts_with(exception.within);
  });
}

using Read = std::function<std::vector<Passage>(std::string_view)>;

std::vector<std::string> faults_in(const std::string& name, const std::vector<Passage>& passages) {
  std::vector<std::string> faults;
  for (const auto& passage : passages) {
    for (const auto& phrase : kPhrases) {
      for (const auto form : phrase.forms) {
        for (const auto at : places_of(passage, form)) {
          if (is_excepted(passage, at, form)) continue;
          faults.push_back(fmt::format("{}:{}: \"{}\": better: {}", name, passage.lines[at], form, phrase.better));
        }
      }
    }
  }
  return faults;
}

// Checks all files of a folder (or the file itself) that have one of the endings.
std::vector<std::string> faults_below(const std::string& place, std::initializer_list<std::string_view> endings,
                                      const Read& read) {
  const fs::path root = PIPEKIT_SOURCE_DIR;
  std::vector<fs::path> files;
  if (fs::is_directory(root / place)) {
    for (const auto& entry : fs::recursive_directory_iterator(root / place)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
  } else {
    files.push_back(root / place);
  }
  std::ranges::sort(files);
  std::vector<std::string> faults;
  size_t looked_at = 0;
  for (const auto& file : files) {
    const auto name = fs::relative(file, root).string();
    if (!std::ranges::any_of(endings, [&](auto ending) { return name.ends_with(ending); })) continue;
    ++looked_at;
    for (auto& fault : faults_in(name, read(read_file(file)))) faults.push_back(std::move(fault));
  }
  if (looked_at == 0) faults.push_back(place + " has no such files");
  return faults;
}

std::string told(const std::vector<std::string>& faults) {
  std::string text;
  for (const auto& fault : faults) text += fault + "\n";
  return text;
}

void expect_plain(const std::string& place, std::initializer_list<std::string_view> endings, const Read& read) {
  const auto faults = faults_below(place, endings, read);
  EXPECT_THAT(faults, IsEmpty()) << told(faults);
}

TEST(PlainEnglish, documents) {
  expect_plain("README.md", {".md"}, markdown_in);
  expect_plain("CHANGELOG.md", {".md"}, markdown_in);
  expect_plain("docs", {".md"}, markdown_in);
  expect_plain("shared", {".md"}, markdown_in);
  expect_plain("docs/man", {".1"}, manual_in);
}

TEST(PlainEnglish, configuration) { expect_plain("config", {".yaml", ".sql", ".sh"}, lines_in); }

class Program : public ::testing::TestWithParam<const char*> {};

TEST_P(Program, says_it_in_plain_english) { expect_plain(GetParam(), {".cpp", ".h"}, literals_in); }
TEST_P(Program, is_commented_in_plain_english) { expect_plain(GetParam(), {".cpp", ".h"}, comments_in); }

INSTANTIATE_TEST_SUITE_P(PlainEnglish, Program, ::testing::Values("broker", "worker", "ctl", "shared"),
                         [](const auto& program) { return std::string(program.param); });

TEST(PlainEnglish, scripts_and_units) {
  expect_plain("script", {""}, lines_in);
  expect_plain("systemd", {".in"}, lines_in);
}

TEST(PlainEnglish, comments_of_tests) {
  expect_plain("tests", {".cpp", ".h"}, comments_in);
  expect_plain("bench", {".cpp", ".h"}, comments_in);
}

// --- that the test finds what it should

std::vector<std::string> faults(const std::vector<Passage>& passages) { return faults_in("f", passages); }

TEST(PlainEnglishTest, finds_a_phrase_with_its_line_and_better_words) {
  EXPECT_EQ(faults(literals_in("a;\nsay(\"Mend the cause\");")),
            (std::vector<std::string>{"f:2: \"mend\": better: fix"}));
}

TEST(PlainEnglishTest, finds_a_phrase_across_lines_and_literals) {
  EXPECT_EQ(faults(literals_in("say(\"run side \"\n    \"by side\");")).size(), 1U);
  EXPECT_EQ(faults(markdown_in("They run side\nby side.")).size(), 1U);
  EXPECT_EQ(faults(manual_in("They run \\fBside\\fR\n.B by\nside.")).size(), 1U);
  EXPECT_EQ(faults(lines_in("# They run side\n# by side.")).size(), 1U);
  EXPECT_EQ(faults(comments_in("// They run side\n// by side.\nint a;")).size(), 1U);
  EXPECT_EQ(faults(literals_in("R\"sql(mend)sql\"")).size(), 1U);
  EXPECT_EQ(faults(literals_in("f('\"'); g(1'000, \"mend\")")).size(), 1U);
}

TEST(PlainEnglishTest, leaves_code_and_other_words_alone) {
  EXPECT_THAT(faults(literals_in("int mend; // mend\n#include \"mend\"\n\"amend\" \"\\\"mending_\"")), IsEmpty());
  EXPECT_THAT(faults(literals_in("say(\"side\", \"by side\");")), IsEmpty());
  EXPECT_THAT(faults(comments_in("say(\"mend\");")), IsEmpty());
  EXPECT_THAT(faults(markdown_in("`mend`\n```\nmend\n```\n\n    mend\n\nside `x` by side")), IsEmpty());
  EXPECT_THAT(faults(markdown_in("| side | by side |")), IsEmpty());
  EXPECT_THAT(faults(markdown_in("It stands for a name.")), IsEmpty());
}

TEST(PlainEnglishTest, reads_lists_of_documents) {
  EXPECT_EQ(faults(markdown_in("- a list\n    that is to mend\n")).size(), 1U);
}

}  // namespace
}  // namespace pipekit::test
