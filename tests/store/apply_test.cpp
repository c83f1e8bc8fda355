#include "broker/definitions/apply.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/definitions/definitions.h"
#include "ctl/definition_file.h"
#include "tests/support/definition_store.h"

namespace pipekit::definitions {
namespace {

using test::sample_document;
using testing::ElementsAre;
using testing::IsEmpty;

class Apply : public testing::Test, protected test::DefinitionStore {
 protected:
  Plan applied(const Json& document, bool prune = false) {
    auto outcome = test::apply(db, document, now, prune);
    EXPECT_EQ(to_json(outcome.problems), Json::array());
    return outcome;
  }
  // "path: message | hint", one each.
  std::vector<std::string> problems(const Json& document, bool prune = false) {
    const auto before = export_document(db);
    std::vector<std::string> told;
    for (const auto& [path, message, hint] : test::apply(db, document, now, prune).problems) {
      told.push_back(fmt::format("{}: {} | {}", path, message, hint));
    }
    EXPECT_EQ(export_document(db), before) << "nothing is written while there are problems";
    return told;
  }
  static std::vector<std::string> told(const Plan& outcome) {
    std::vector<std::string> lines;
    for (const auto& change : outcome.changes) {
      if (change["action"] == "unchanged") continue;
      lines.push_back(fmt::format("{} {} {}", change["action"].get<std::string>(), change["kind"].get<std::string>(),
                                  change["name"].get<std::string>()));
    }
    return lines;
  }
  Json module(const char* name) { return *show(db, Kind::module, name); }
};

Json with(const char* pointer, const Json& value) {
  Json document = sample_document();
  document[Json::json_pointer(pointer)] = value;
  return document;
}

TEST_F(Apply, adds_all_that_is_new) {
  const auto outcome = applied(sample_document());
  EXPECT_TRUE(outcome.changed);
  EXPECT_THAT(told(outcome), ElementsAre("add connection erp", "add connection warehouse", "add module orders",
                                         "add module customers", "add group nightly"));
}

TEST_F(Apply, again_changes_nothing_in_whatever_order) {
  applied(sample_document());
  now += std::chrono::hours(1);
  auto permuted = sample_document();
  for (const auto* name : {"connections", "modules"}) std::reverse(permuted[name].begin(), permuted[name].end());
  std::reverse(permuted["groups"][0]["schedules"].begin(), permuted["groups"][0]["schedules"].end());
  for (const auto& document : {sample_document(), permuted}) {
    const auto outcome = applied(document, true);
    EXPECT_FALSE(outcome.changed) << outcome.changes.dump();
    EXPECT_EQ(outcome.changes.size(), 5U);
  }
  EXPECT_EQ(module("orders")["updated_at"], module("orders")["created_at"]);
}

TEST_F(Apply, tells_each_field_that_changes) {
  applied(sample_document());
  auto document = with("/modules/0/retries", 2);
  document["modules"][0].erase("min_rows");
  document["modules"][0]["watermarks"][0]["default_value"] = "1";
  document["modules"][0]["hooks"] = Json::array();
  const auto outcome = applied(document);
  EXPECT_THAT(told(outcome), ElementsAre("update module orders"));
  const auto& fields = (*std::find_if(outcome.changes.begin(), outcome.changes.end(),
                                      [](const Json& one) { return one["action"] == "update"; }))["fields"];
  EXPECT_EQ(fields["retries"], Json({{"from", 0}, {"to", 2}}));
  EXPECT_EQ(fields["min_rows"], Json({{"from", 1}, {"to", nullptr}}));
  EXPECT_EQ(fields["watermarks.last_id"]["to"]["default_value"], "1");
  EXPECT_EQ(fields["hooks.1"]["to"], nullptr);
  EXPECT_EQ(fields.size(), 4U);
  EXPECT_EQ(module("orders")["min_rows"], nullptr) << "a field that the file leaves out has its default";
}

TEST_F(Apply, keeps_rows_that_it_recognises) {
  applied(sample_document());
  const auto before = *show(db, Kind::group, "nightly");
  db.run("UPDATE schedule SET last_fired_at = 1000 + id");
  const auto document = with("/groups/0/schedules", Json::parse(R"([
      {"kind": "interval", "every_s": 3600, "misfire": "skip"},
      {"cron_expr": "0 20 2 * * *", "timezone": "America/New_York", "enabled": false},
      {"cron_expr": "0 20 2 * * *"}])"));
  EXPECT_THAT(told(applied(document)), ElementsAre("update group nightly"));
  const auto after = *show(db, Kind::group, "nightly");
  ASSERT_EQ(after["schedules"].size(), 3U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(after["schedules"][i]["id"], before["schedules"][i]["id"]);
    EXPECT_NE(after["schedules"][i]["last_fired_at"], nullptr);
  }
  EXPECT_EQ(after["schedules"][0]["enabled"], false);
  EXPECT_EQ(after["schedules"][2]["last_fired_at"], nullptr);
  EXPECT_EQ(after["members"][0]["id"], before["members"][0]["id"]);
}

TEST_F(Apply, leaves_a_groups_schedules_alone_where_the_file_does_not_speak_of_them) {
  applied(sample_document());
  const auto before = *show(db, Kind::group, "nightly");
  auto document = sample_document();
  document["groups"][0].erase("schedules");
  EXPECT_FALSE(applied(document).changed);
  EXPECT_FALSE(applied(document, true).changed) << "with prune neither: it is about definitions";
  document["groups"][0]["schedules"] = nullptr;  // "schedules:" and nothing after it
  document["groups"][0]["stop_on_failure"] = !before["stop_on_failure"].get<bool>();
  EXPECT_THAT(told(applied(document)), ElementsAre("update group nightly"));
  EXPECT_EQ((*show(db, Kind::group, "nightly"))["schedules"], before["schedules"]);
  document["groups"][0]["schedules"] = Json::array();
  EXPECT_THAT(told(applied(document)), ElementsAre("update group nightly"));
  EXPECT_EQ((*show(db, Kind::group, "nightly"))["schedules"], Json::array());
  EXPECT_EQ(export_document(db)["groups"][0]["schedules"], Json::array()) << "what export wrote says so";
}

TEST_F(Apply, leaves_what_is_absent_without_prune) {
  applied(sample_document());
  EXPECT_FALSE(applied(Json::object()).changed);
  EXPECT_FALSE(applied({{"modules", nullptr}}).changed);
  EXPECT_EQ(list(db, Kind::module)->size(), 2U);
}

TEST_F(Apply, removes_what_is_absent_with_prune_but_never_drivers) {
  auto document = sample_document();
  document["connections"].push_back(
      {{"name", "a"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:a"}, {"default_dest_connection", "b"}});
  document["connections"].push_back(
      {{"name", "b"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:b"}, {"default_dest_connection", "a"}});
  applied(document);
  auto smaller = sample_document();
  smaller["modules"].erase(0);
  smaller.erase("groups");
  const auto outcome = applied(smaller, true);
  EXPECT_THAT(told(outcome), ElementsAre("remove group nightly", "remove module orders", "remove connection a",
                                         "remove connection b"));
  EXPECT_EQ(list(db, Kind::driver)->size(), 2U);
  EXPECT_FALSE(applied(smaller, true).changed);
}

TEST_F(Apply, connections_may_name_one_another_in_any_order) {
  const auto document = Json::parse(R"({"connections": [
      {"name": "a", "driver": "d", "jdbc_url": "jdbc:x", "default_dest_connection": "b"},
      {"name": "b", "driver": "d", "jdbc_url": "jdbc:x", "default_dest_connection": "a"}],
      "drivers": [{"name": "d", "class_name": "x.Y"}]})");
  applied(document);
  EXPECT_EQ((*show(db, Kind::connection, "a"))["default_dest_connection"], "b");
  EXPECT_EQ((*show(db, Kind::connection, "b"))["default_dest_connection"], "a");
  EXPECT_FALSE(applied(document).changed);
}

TEST_F(Apply, is_refused_by_path_with_every_problem) {
  applied(sample_document());
  const struct {
    Json document;
    std::vector<std::string> told;
  } cases[] = {
      {with("/modules/1/merge_strategy", "ful"),
       {"modules[1].merge_strategy: 'ful' is not one of full, incremental, append | did you mean 'full'?"}},
      {with("/modules/1/dest_connection", "warehous"),
       {"modules[1].dest_connection: there is no connection 'warehous' | did you mean 'warehouse'?"}},
      {with("/modules/0/watermarks/0/connection", "x"),
       {"modules[0].watermarks[0].connection: there is no connection 'x' | known: erp, warehouse"}},
      {with("/modules/1/name", "orders"),
       {"modules[1].name: module 'orders' is listed twice | the first one is modules[0]"}},
      {with("/groups/0/members/1", "custmers"),
       {"groups[0].members[1].module: there is no module 'custmers' | did you mean 'customers'?"}},
      {with("/moduls", Json::array()), {"moduls: is not a list of definitions | did you mean 'modules'?"}},
      {with("/modules", 7), {"modules: must be a list | "}},
      {Json::array(), {": the document must be a map of lists | connections:, modules:, groups:"}},
      {with("/connections/0/password", "geheim"),
       {"connections[0].password: must be a reference, $NAME; passwords are never kept in the store | add a line "
        "NAME=... to the worker's secrets file"}},
  };
  for (const auto& one : cases) EXPECT_EQ(problems(one.document), one.told);
}

TEST_F(Apply, a_broken_definition_is_not_blamed_on_those_that_refer_to_it) {
  auto document = sample_document();
  document["connections"][0].erase("jdbc_url");
  document["modules"][1]["retries"] = -1;
  EXPECT_THAT(problems(document), ElementsAre("connections[0].jdbc_url: is missing | jdbc:...",
                                              "modules[1].retries: must not be negative | "));
}

TEST_F(Apply, prune_refuses_to_remove_what_the_document_uses) {
  applied(sample_document());
  auto document = sample_document();
  document["connections"].erase(0);
  EXPECT_TRUE(applied(document).problems.empty());
  EXPECT_THAT(
      problems(document, true),
      ElementsAre("modules[0].source_connection: connection 'erp' is not in the document, and prune would remove "
                  "it | add it to the document, or apply without prune",
                  "modules[1].source_connection: connection 'erp' is not in the document, and prune would remove "
                  "it | add it to the document, or apply without prune"));
  EXPECT_THAT(problems(Json::object(), true),
              ElementsAre(": the document is empty: prune would remove every definition | to remove everything, remove "
                          "the definitions one by one"));
}

TEST_F(Apply, rolled_back_by_its_caller_has_changed_nothing) {
  {
    const store::Savepoint savepoint(db);
    EXPECT_TRUE(plan(db, sample_document(), false).changed);
  }
  EXPECT_EQ(list(db, Kind::module)->size(), 0U);
}

TEST_F(Apply, of_what_export_wrote_changes_nothing) {
  auto document = sample_document();
  document["modules"][1]["source_query"] = "SELECT '{{}}'\n  FROM t -- \"x\"\n";
  document["modules"][1]["enabled"] = false;
  document["groups"].push_back(
      Json::parse(R"({"name": "g", "stop_on_failure": true, "members": [["orders", "customers"]]})"));
  document["groups"].push_back(Json::parse(R"({"name": "h", "members": [{"module": "orders", "run_order": 7}]})"));
  applied(document);
  const auto yaml = ctl::write_yaml(export_document(db));
  const auto read = ctl::parse_definitions("export.yaml", yaml);
  ASSERT_TRUE(read.ok()) << read.error().message << yaml;
  const auto outcome = applied(read->document, true);
  EXPECT_FALSE(outcome.changed) << outcome.changes.dump(1) << yaml;
  EXPECT_EQ(outcome.changes.size(), 9U);
}

TEST_F(Apply, export_leaves_defaults_out) {
  applied(sample_document());
  const auto document = export_document(db);
  EXPECT_EQ(
      document["modules"][0].dump(),
      R"({"dest_connection":"warehouse","dest_table":"sales.customers","merge_strategy":"full","name":"customers",)"
      R"("source_connection":"erp","source_query":"SELECT * FROM customers"})");
  EXPECT_EQ(document["modules"][1]["merge_key"], "id");
  EXPECT_EQ(document["groups"][0]["members"], Json::array({"orders", "customers"}));
  EXPECT_EQ(document["connections"][1]["password"], "$WH_PASSWORD");
  EXPECT_EQ(document["drivers"].size(), 2U);
}

TEST_F(Apply, a_group_may_name_modules_of_the_store) {
  applied(sample_document());
  const auto outcome = applied(Json::parse(R"({"groups": [{"name": "g", "members": ["orders"]}]})"));
  EXPECT_THAT(told(outcome), ElementsAre("add group g"));
}

}  // namespace
}  // namespace pipekit::definitions
