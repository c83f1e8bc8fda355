#include "broker/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/definition_store.h"

namespace pipekit {
namespace {

using testing::HasSubstr;

class SettingsTest : public testing::Test, protected test::DefinitionStore {
 protected:
  std::string refusal(const char* key, const Json& value) {
    const auto result = set_setting(db, key, value);
    return result ? "accepted" : result.error().message + " | " + result.error().hint;
  }
};

TEST_F(SettingsTest, have_defaults) {
  EXPECT_EQ(load_settings(db).claim_limit_s, 60);
  const auto list = list_settings(db);
  ASSERT_FALSE(list.empty());
  for (const auto& setting : list) {
    EXPECT_EQ(setting["value"], setting["default"]);
    EXPECT_FALSE(setting["description"].get<std::string>().empty());
  }
}

TEST_F(SettingsTest, are_kept_as_numbers_or_text) {
  EXPECT_EQ((*set_setting(db, "claim_limit_s", 5))["value"], "5");
  EXPECT_EQ((*set_setting(db, "claim_limit_s", "7"))["value"], "7");
  EXPECT_EQ((*set_setting(db, "row_count_pattern", "([0-9]+) Zeilen"))["value"], "([0-9]+) Zeilen");
  EXPECT_EQ(load_settings(db).claim_limit_s, 7);
  EXPECT_EQ(load_settings(db).row_count_pattern, "([0-9]+) Zeilen");
  EXPECT_EQ((*get_setting(db, "claim_limit_s"))["default"], "60");
}

TEST_F(SettingsTest, a_pattern_is_checked_as_the_worker_checks_it) {
  EXPECT_THAT(refusal("row_count_pattern", std::string(100'000, '(')), HasSubstr("at most 200 are allowed"));
  EXPECT_THAT(refusal("row_count_pattern", "[0-9]+ rows"), HasSubstr("setting row_count_pattern: the pattern"));
  EXPECT_THAT(refusal("row_count_pattern", "(a)(b)"), HasSubstr("it has 2 groups"));
  EXPECT_THAT(refusal("row_count_pattern", std::string(200, '(')), HasSubstr("missing )"));
  ASSERT_TRUE(set_setting(db, "row_count_pattern", ""));
}

TEST_F(SettingsTest, are_refused_outside_their_bounds) {
  for (const Json& value : {Json("0"), Json("86401"), Json("x"), Json("5s"), Json(""), Json(1.5), Json(nullptr),
                            Json("99999999999999999999"), Json::array()}) {
    EXPECT_THAT(refusal("claim_limit_s", value), HasSubstr("not a whole number from 1 to 86400")) << value;
  }
  EXPECT_EQ(load_settings(db).claim_limit_s, 60);
  EXPECT_THAT(refusal("claim_limit", 5),
              HasSubstr("there is no setting \"claim_limit\" | settings are: log_head_bytes,"));
  EXPECT_FALSE(get_setting(db, ""));
}

}  // namespace
}  // namespace pipekit
