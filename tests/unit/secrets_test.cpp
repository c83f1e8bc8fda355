#include "worker/secrets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "tests/support/temp_dir.h"

namespace pipekit::worker {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

constexpr auto kUrl = "jdbc:postgresql://db1.example/wh";

std::optional<std::string> lookup(const std::string& name) {
  static const std::map<std::string, std::string> kVariables = {{"DB2PW", "hunter2"},
                                                                {"_x9", "value"},
                                                                {"EMPTY", ""},
                                                                {"", "never"},
                                                                {"A-B", "never"},
                                                                {"9X", "never"},
                                                                {"AWS_KEY", "of another program"}};
  const auto found = kVariables.find(name);
  return found == kVariables.end() ? std::nullopt : std::optional(found->second);
}

Secrets secrets(SecretRules rules) {
  auto made = Secrets::make(std::move(rules), lookup);
  EXPECT_TRUE(made) << made.error().message;
  return made ? *std::move(made) : Secrets();
}

TEST(Secrets, references_are_resolved) {
  const auto all = secrets({{}, {"*"}, {}});
  const std::map<std::string, std::string> cases = {
      {"", ""}, {"$DB2PW", "hunter2"}, {"${DB2PW}", "hunter2"}, {"$_x9", "value"}, {"${EMPTY}", ""}};
  for (const auto& [reference, expected] : cases) {
    const auto value = all.resolve(reference, kUrl);
    ASSERT_TRUE(value) << reference;
    EXPECT_EQ(*value, expected) << reference;
  }
}

TEST(Secrets, a_text_that_is_no_reference_is_refused_and_not_repeated) {
  const auto all = secrets({{}, {"*"}, {}});
  for (const std::string text : {"hunter2", "$", "${}", "${", "$}", "$9X", "$A-B", "${A-B}", "$DB2PW ", " $DB2PW",
                                 "$$DB2PW", "${DB2PW", "$DB2PW}", "x$DB2PW"}) {
    const auto value = all.resolve(text, kUrl);
    ASSERT_FALSE(value) << text;
    EXPECT_EQ(value.error().code, ErrorCode::kInvalid) << text;
    if (text.size() < 3) continue;
    EXPECT_EQ((value.error().message + value.error().hint).find(text), std::string::npos) << text;
  }
}

TEST(Secrets, a_variable_that_was_not_allowed_is_refused_and_the_error_says_how_to_allow_it) {
  for (const auto& allowed : {std::vector<std::string>{}, std::vector<std::string>{"DB2PW", "AWS"}}) {
    const auto some = secrets({{{"IN_FILE", "x"}}, allowed, {}, "/etc/pipekit/secrets.env"});
    const auto value = some.resolve("$AWS_KEY", kUrl);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code, ErrorCode::kRefused);
    EXPECT_THAT(value.error().message, AllOf(HasSubstr("AWS_KEY is not allowed"), HasSubstr("secrets.env")));
    EXPECT_THAT(value.error().hint, AllOf(HasSubstr("--secret-env AWS_KEY"), HasSubstr("secret_env: [AWS_KEY]")));
    EXPECT_EQ(*some.resolve("$IN_FILE", kUrl), "x");
    EXPECT_EQ(some.resolve("$DB2PW", kUrl).ok(), !allowed.empty());
  }
  EXPECT_FALSE(Secrets().resolve("$DB2PW", kUrl));
  EXPECT_TRUE(Secrets().resolve("", kUrl));
}

TEST(Secrets, the_secrets_file_wins_over_a_variable_of_the_same_name) {
  EXPECT_EQ(*secrets({{{"DB2PW", "of the file"}}, {"*"}, {}}).resolve("$DB2PW", kUrl), "of the file");
}

TEST(Secrets, an_allowed_variable_that_is_not_set_is_named) {
  const auto value = secrets({{}, {"WH_PASSWORD"}, {}}).resolve("$WH_PASSWORD", kUrl);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(value.error().message, HasSubstr("WH_PASSWORD is missing in the worker's environment"));
}

TEST(Secrets, a_rule_that_cannot_be_meant_is_refused) {
  for (const SecretRules& rules :
       {SecretRules{{}, {"A-B"}, {}}, SecretRules{{}, {""}, {}}, SecretRules{{}, {"*"}, {"PW"}},
        SecretRules{{}, {"*"}, {"PW="}}, SecretRules{{}, {"*"}, {"=h"}}, SecretRules{{}, {"*"}, {"PW=h:x"}},
        SecretRules{{}, {"*"}, {"PW=a@b"}}, SecretRules{{}, {"*"}, {"PW=h/x"}}, SecretRules{{}, {"*"}, {"PW=a b"}},
        SecretRules{{{"WH_PASSWORD", "x"}}, {}, {"WH_PASWORD=h"}}}) {
    const auto made = Secrets::make(rules, lookup);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::kUsage);
  }
  const auto typo = Secrets::make({{{"WH_PASSWORD", "x"}}, {}, {"WH_PASWORD=h"}}, lookup);
  EXPECT_THAT(typo.error().hint, HasSubstr("WH_PASSWORD"));
}

TEST(Secrets, one_bound_to_hosts_is_used_for_no_other_url) {
  const auto bound = secrets({{{"PW", "hunter22"}, {"FREE", "x"}},
                              {},
                              {"PW=db1.example", "PW=10.0.0.5:5432", "PW=[2001:db8::1]:5433", "PW=/run/pg"}});
  for (const auto* url :
       {"jdbc:postgresql://db1.example/wh", "jdbc:postgresql://DB1.Example.:5433/wh", "jdbc:postgresql://10.0.0.5/wh",
        "jdbc:postgresql://10.0.0.5:5432,db1.example:1/wh", "jdbc:postgresql://[2001:0DB8:0::0:1]:5433/wh",
        "jdbc:postgresql://%2Frun%2Fpg/wh", "jdbc:sqlserver://db1.example;databaseName=x",
        "jdbc:sqlserver://db1.example\\instance:1433;databaseName=x", "jdbc:mariadb:sequential://db1.example/x",
        "jdbc:oracle:thin:@db1.example:1521:orcl", "jdbc:oracle:thin:@//db1.example/orcl",
        "jdbc:db2://db1.example:50000/x:currentSchema=y;", "jdbc:as400://db1.example/x;naming=sql"}) {
    const auto value = bound.resolve("$PW", url);
    EXPECT_TRUE(value) << url << ": " << (value ? "" : value.error().message);
  }
  for (const auto* url : {"jdbc:postgresql://evil.example/wh",
                          "jdbc:postgresql://db1.example.evil.org/wh",
                          "jdbc:postgresql://xdb1.example/wh",
                          "jdbc:postgresql://db1.example,evil.example/wh",
                          "jdbc:postgresql://evil.example,db1.example/wh",
                          "jdbc:postgresql://db1.example%2Cevil.example/wh",
                          "jdbc:postgresql://10.0.0.5:5433/wh",
                          "jdbc:postgresql://10.0.0.55/wh",
                          "jdbc:postgresql:wh",
                          "jdbc:postgresql:///wh",
                          "jdbc:postgresql://[2001:db8::1]/wh",
                          "jdbc:postgresql://[2001:db8::2]:5433/wh",
                          "jdbc:postgresql://db1.example@evil.example/wh",
                          "jdbc:postgresql://evil.example/db1.example",
                          "jdbc:postgresql://evil.example?db1.example",
                          "jdbc:postgresql://evil.example\\db1.example/wh",
                          "jdbc:postgresql://db1.example\\@evil.example/wh",
                          "jdbc:postgresql://%2Frun%2Fpg2/wh",
                          "jdbc:postgresql://db1%2Eexample/wh",
                          "jdbc:sqlite:/db1.example",
                          "jdbc:oracle:thin:@db1.example",
                          "jdbc:oracle:thin:@(DESCRIPTION=(ADDRESS=(HOST=db1.example)(PORT=1)))",
                          "jdbc:mysql://address=(host=db1.example)(port=3306)/x",
                          "jdbc:h2:mem:x",
                          "db1.example",
                          "jdbc:x:db1.example"}) {
    const auto value = bound.resolve("$PW", url);
    ASSERT_FALSE(value) << url;
    EXPECT_EQ(value.error().code, ErrorCode::kRefused) << url;
    EXPECT_THAT(value.error().message, Not(HasSubstr("hunter22")));
    EXPECT_TRUE(bound.resolve("$FREE", url)) << url;
  }
}

TEST(SecretsFile, has_a_value_a_line) {
  const auto parsed = parse_secrets(
      "# comment\n; another\n\nWH_PASSWORD=s3cret\n  SPACED = a b \r\nQUOTED='a # $b \\' \nDOUBLE=\"a \\\"b\\\\\"\n"
      "EMPTY=\nEQUALS=a=b\nBACK=a\\'b\nLAST=x",
      "f");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_THAT(*parsed, ElementsAre(Pair("BACK", "a'b"), Pair("DOUBLE", "a \"b\\"), Pair("EMPTY", ""),
                                   Pair("EQUALS", "a=b"), Pair("LAST", "x"), Pair("QUOTED", "a # $b \\"),
                                   Pair("SPACED", "a b"), Pair("WH_PASSWORD", "s3cret")));
}

TEST(SecretsFile, that_is_wrong_is_refused_with_its_line_and_without_its_values) {
  for (const std::string line : {"hunter22", "export A=hunter22", "A B=hunter22", "=hunter22", "A='hunter22",
                                 "A=\"hunter22", "A=hunter22\\", "A='x'hunter22", "OK=hunter22"}) {
    const auto parsed = parse_secrets("OK=1\n" + line, "/s/f");
    ASSERT_FALSE(parsed) << line;
    EXPECT_EQ(parsed.error().code, ErrorCode::kUsage);
    EXPECT_THAT(parsed.error().message, AllOf(HasSubstr("/s/f:2: "), Not(HasSubstr("hunter22"))));
  }
}

TEST(SecretsFile, that_others_can_read_or_change_is_refused) {
  const test::TempDir dir;
  const auto file = dir.write("secrets.env", "A=1\n");
  for (const auto& [mode, code] : {std::pair{0600U, std::optional<ErrorCode>()},
                                   {0640U, {}},
                                   {0400U, {}},
                                   {0440U, {}},
                                   {0644U, ErrorCode::kRefused},
                                   {0660U, ErrorCode::kRefused},
                                   {0604U, ErrorCode::kRefused},
                                   {0620U, ErrorCode::kRefused},
                                   {0602U, ErrorCode::kRefused}}) {
    ::chmod(file.c_str(), mode);
    const auto read = read_secrets(file);
    EXPECT_EQ(read ? std::nullopt : std::optional(read.error().code), code) << std::oct << mode;
    if (read) continue;
    EXPECT_THAT(read.error().hint, HasSubstr("chmod 0600 "));
  }
  EXPECT_EQ(read_secrets(dir.file("none")).error().code, ErrorCode::kUsage);
  EXPECT_EQ(read_secrets(dir.path()).error().code, ErrorCode::kRefused);
  if (::geteuid() != 0) return;
  ::chmod(file.c_str(), 0600);
  ASSERT_EQ(::chown(file.c_str(), 1, 1), 0);
  EXPECT_EQ(read_secrets(file).error().code, ErrorCode::kRefused);
}

TEST(Secrets, the_environment_is_read) {
  ::setenv("PIPEKIT_TEST_SECRET", "from outside", 1);
  EXPECT_EQ(environment_variable("PIPEKIT_TEST_SECRET"), "from outside");
  ::unsetenv("PIPEKIT_TEST_SECRET");
  EXPECT_EQ(environment_variable("PIPEKIT_TEST_SECRET"), std::nullopt);
}

}  // namespace
}  // namespace pipekit::worker
