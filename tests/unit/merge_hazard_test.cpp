#include "worker/merge_hazard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit::worker {
namespace {

using ::testing::HasSubstr;

constexpr auto kReplace = MergeMethod::kReplace;
constexpr auto kUpdate = MergeMethod::kUpdate;

TableFacts facts(std::vector<Reference> references, std::vector<Reaction> reactions = {}) {
  return {{{"id", "integer"}, {"code", "text"}}, std::move(references), std::move(reactions)};
}

std::string refusal(const TableFacts& table, MergeStrategy strategy, MergeMethod method = kReplace,
                    bool truncate = false) {
  const auto hazard = merge_hazard("par", table, {strategy, method, truncate, {"id"}});
  return hazard ? hazard->message : "";
}

TEST(MergeHazard, is_a_reference_whose_action_the_deletion_would_set_off) {
  for (const std::string action : {"cascade", "set null", "set default"}) {
    const auto table = facts({{"chi", "id", action, "no action"}});
    for (const auto strategy : {MergeStrategy::kFull, MergeStrategy::kIncremental}) {
      EXPECT_THAT(refusal(table, strategy), HasSubstr("chi refers to it with ON DELETE")) << action;
      EXPECT_EQ(refusal(table, strategy, kUpdate), "") << action;
    }
    EXPECT_EQ(refusal(table, MergeStrategy::kAppend), "") << action;
  }
  for (const std::string action : {"no action", "restrict", ""}) {
    EXPECT_EQ(refusal(facts({{"chi", "id", action, action}}), MergeStrategy::kFull), "") << action;
  }
}

TEST(MergeHazard, of_a_reference_from_the_table_to_itself_is_one_of_incremental_merges_only) {
  const auto table = facts({{"par", "id", "cascade", "no action", true}});
  EXPECT_EQ(refusal(table, MergeStrategy::kFull), "");
  EXPECT_THAT(refusal(table, MergeStrategy::kIncremental), HasSubstr("par refers to it"));
}

TEST(MergeHazard, is_whatever_else_reacts_to_deleted_rows) {
  using enum Reaction::Kind;
  for (const auto kind : {delete_trigger, delete_rule, inheriting}) {
    EXPECT_THAT(refusal(facts({}, {{kind, "other"}}), MergeStrategy::kFull), HasSubstr("other"));
    EXPECT_EQ(refusal(facts({}, {{kind, "other"}}), MergeStrategy::kFull, kUpdate), "");
  }
  EXPECT_EQ(refusal(facts({}, {{truncate_trigger, "other"}}), MergeStrategy::kFull), "");
  EXPECT_NE(refusal(facts({}, {{truncate_trigger, "other"}}), MergeStrategy::kFull, kReplace, true), "");
  EXPECT_EQ(refusal(facts({}, {{delete_trigger, "other"}}), MergeStrategy::kFull, kReplace, true), "")
      << "TRUNCATE runs none";
}

TEST(MergeHazard, of_an_update_is_a_reference_to_another_column_that_loses_its_value) {
  for (const std::string action : {"set null", "set default"}) {
    EXPECT_THAT(refusal(facts({{"chi", "code", "no action", action}}), MergeStrategy::kFull, kUpdate),
                HasSubstr("chi refers to its column code with ON UPDATE SET"));
    EXPECT_EQ(refusal(facts({{"chi", "id", "no action", action}}), MergeStrategy::kFull, kUpdate), "")
        << "the key is never written";
  }
  EXPECT_EQ(refusal(facts({{"chi", "code", "no action", "cascade"}}), MergeStrategy::kFull, kUpdate), "");
}

TEST(MergeHazard, of_an_update_is_an_identity_that_only_the_engine_may_set) {
  auto table = facts({});
  table.columns[1].always_identity = true;
  EXPECT_THAT(refusal(table, MergeStrategy::kFull, kUpdate), HasSubstr("column code is GENERATED ALWAYS"));
  EXPECT_EQ(refusal(table, MergeStrategy::kFull), "");
  table.columns[1].always_identity = false;
  table.columns[0].always_identity = true;
  EXPECT_EQ(refusal(table, MergeStrategy::kFull, kUpdate), "") << "the key is never written";
}

TEST(MergeHazard, names_a_few_of_many_and_each_once) {
  TableFacts table = facts({});
  for (int i = 0; i < 9; ++i) table.references.push_back({"t" + std::to_string(i), "id", "cascade", ""});
  table.references.push_back({"t0", "code", "cascade", ""});
  EXPECT_THAT(refusal(table, MergeStrategy::kFull), HasSubstr("t4 refers to it with ON DELETE CASCADE; and 4 more"));
}

TEST(DeleteTrigger, is_told_by_its_statement) {
  for (const std::string sql :
       {"CREATE TRIGGER t AFTER DELETE ON o BEGIN SELECT 1; END", "create trigger t delete on o begin select 1; end",
        "CREATE TEMP TRIGGER IF NOT EXISTS main.\"INSERT on\" BEFORE DELETE ON o BEGIN SELECT 1; END",
        "CREATE /* AFTER INSERT */ TRIGGER [x INSERT] -- UPDATE\n AFTER\tDELETE ON o BEGIN SELECT 1; END",
        "CREATE TRIGGER 'it''s' DELETE ON o BEGIN SELECT 1; END"}) {
    EXPECT_TRUE(is_delete_trigger(sql)) << sql;
  }
  for (const std::string sql :
       {"CREATE TRIGGER delete_it AFTER INSERT ON o BEGIN DELETE FROM x; END",
        "CREATE TRIGGER \"DELETE\" UPDATE OF a ON o BEGIN SELECT 1; END",
        "CREATE TRIGGER t INSTEAD OF DELETE ON v BEGIN SELECT 1; END", "CREATE TRIGGER", "", "CREATE TRIGGER \"x"}) {
    EXPECT_FALSE(is_delete_trigger(sql)) << sql;
  }
}

}  // namespace
}  // namespace pipekit::worker
