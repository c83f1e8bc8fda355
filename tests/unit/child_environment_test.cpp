#include "worker/child_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit::worker {
namespace {

using ::testing::Contains;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

const Variables kOwn = {{"PATH", "/bin"},          {"HOME", "/h"},     {"LANG", "C"},       {"LC_ALL", "C"},
                        {"WH_PASSWORD", "s"},      {"AWS_KEY", "s"},   {"PGHOSTADDR", "x"}, {"PGPASSFILE", "/p"},
                        {"LD_PRELOAD", "x.so"},    {"LCX", "no"},      {"TZ", "UTC"},       {"JAVA_HOME", "/j"},
                        {"PIPEKIT_KEY_FILE", "k"}, {"MY_LIB", "/lib"}, {"MY_OPTIONS", "-x"}};

TEST(ChildEnvironment, has_what_a_program_needs_and_nothing_else) {
  const auto children = child_environment({}, kOwn);
  ASSERT_TRUE(children);
  EXPECT_THAT(*children,
              UnorderedElementsAre(Pair("PATH", "/bin"), Pair("HOME", "/h"), Pair("LANG", "C"), Pair("LC_ALL", "C"),
                                   Pair("TZ", "UTC"), Pair("JAVA_HOME", "/j"), Pair("PGPASSFILE", "/nonexistent")));
}

TEST(ChildEnvironment, can_be_given_more_by_name_or_prefix) {
  const auto children = child_environment({"MY_*", "AWS_KEY", "PGPASSFILE"}, kOwn);
  ASSERT_TRUE(children);
  for (const auto* name : {"MY_LIB", "MY_OPTIONS", "AWS_KEY"}) EXPECT_THAT(*children, Contains(Pair(name, testing::_)));
  EXPECT_THAT(*children, Contains(Pair("PGPASSFILE", "/p")).Times(1));
  EXPECT_THAT(*children, Not(Contains(Pair("WH_PASSWORD", testing::_))));
}

TEST(ChildEnvironment, always_has_a_path) {
  EXPECT_THAT(*child_environment({}, {}), Contains(Pair("PATH", "/usr/local/bin:/usr/bin:/bin")));
}

TEST(ChildEnvironment, refuses_what_is_no_name) {
  for (const auto* text : {"", "A=B", "A B", "A*B", "$A"}) {
    const auto children = child_environment({text}, kOwn);
    ASSERT_FALSE(children) << text;
    EXPECT_EQ(children.error().code, ErrorCode::kUsage);
  }
}

}  // namespace
}  // namespace pipekit::worker
