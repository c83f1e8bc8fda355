#include "worker/secrets.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>

namespace pipekit::worker {
namespace {

std::optional<std::string> lookup(const std::string& name) {
  static const std::map<std::string, std::string> kVariables = {
      {"DB2PW", "hunter2"}, {"_x9", "value"}, {"EMPTY", ""}, {"", "never"}, {"A-B", "never"}, {"9X", "never"}};
  const auto found = kVariables.find(name);
  return found == kVariables.end() ? std::nullopt : std::optional(found->second);
}

TEST(Secrets, references_are_resolved) {
  const std::map<std::string, std::string> cases = {
      {"", ""}, {"$DB2PW", "hunter2"}, {"${DB2PW}", "hunter2"}, {"$_x9", "value"}, {"${EMPTY}", ""}};
  for (const auto& [reference, expected] : cases) {
    const auto value = resolve_secret(reference, lookup);
    ASSERT_TRUE(value) << reference;
    EXPECT_EQ(*value, expected) << reference;
  }
}

TEST(Secrets, a_text_that_is_no_reference_is_refused_and_not_repeated) {
  for (const std::string text : {"hunter2", "$", "${}", "${", "$}", "$9X", "$A-B", "${A-B}", "$DB2PW ", " $DB2PW",
                                 "$$DB2PW", "${DB2PW", "$DB2PW}", "x$DB2PW"}) {
    const auto value = resolve_secret(text, lookup);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, ErrorCode::kInvalid) << text;
    if (text.size() < 3) continue;
    EXPECT_EQ((value.error().message + value.error().hint).find(text), std::string::npos) << text;
  }
}

TEST(Secrets, a_variable_that_is_not_set_is_named) {
  const auto value = resolve_secret("$WH_PASSWORD", lookup);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(value.error().message.find("WH_PASSWORD is missing in the worker's environment"), std::string::npos);
}

TEST(Secrets, the_environment_is_read) {
  ::setenv("PIPEKIT_TEST_SECRET", "from outside", 1);
  EXPECT_EQ(environment_variable("PIPEKIT_TEST_SECRET"), "from outside");
  ::unsetenv("PIPEKIT_TEST_SECRET");
  EXPECT_EQ(environment_variable("PIPEKIT_TEST_SECRET"), std::nullopt);
}

}  // namespace
}  // namespace pipekit::worker
