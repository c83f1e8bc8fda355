#include "broker/definitions/definitions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/definitions/apply.h"
#include "tests/support/definition_store.h"

namespace pipekit::definitions {
namespace {

using test::sample_document;
using testing::ElementsAre;
using testing::HasSubstr;
using ::testing::StartsWith;

class Definitions : public testing::Test, protected test::DefinitionStore {
 protected:
  void SetUp() override { ASSERT_TRUE(test::apply(db, sample_document(), now).problems.empty()); }

  Json show_of(Kind kind, const Json& ref) {
    const auto shown = show(db, kind, ref);
    EXPECT_TRUE(shown.ok()) << shown.error().message;
    return shown.ok() ? *shown : Json();
  }

  // Like the broker: in a savepoint that a refusal rolls back. A refusal is "code: message".
  template <class Change>
  std::string refusal(const Change& change) {
    const store::Savepoint savepoint(db);
    const Result<Json> done = change();
    if (done) return "accepted: " + done->dump();
    return std::string(to_string(done.error().code)) + ": " + done.error().message + " | " + done.error().hint;
  }

  void start_run(int64_t module, const char* status = "running") {
    db.run(
        "INSERT INTO run_log (module_id, module_name, snapshot_id, status, queued_at, finished_at, started_at, "
        "row_count, triggered_by) VALUES (?1, 'm', 0, ?2, 0, CASE WHEN ?2 = 'running' THEN NULL ELSE 3500 END, 1000, "
        "7, 'manual')",
        module, status);
    db.run("INSERT OR REPLACE INTO module_last_run (module_id, run_id) VALUES (?, ?)", module, db.last_insert_id());
  }
};

Json module_fields(const char* name) {
  return {{"name", name},      {"source_connection", "erp"}, {"dest_connection", "warehouse"},
          {"dest_table", "t"}, {"source_query", "SELECT 1"}, {"merge_strategy", "full"}};
}

TEST_F(Definitions, are_shown_with_ids_names_and_defaults) {
  const auto module = show_of(Kind::module, "orders");
  EXPECT_EQ(module["source_connection"], "erp");
  EXPECT_EQ(module["source_connection_id"], show_of(Kind::connection, "erp")["id"]);
  EXPECT_EQ(module["merge_key"], Json::array({"id"}));
  EXPECT_EQ(module["unique_key"], false);
  EXPECT_EQ(module["retry_backoff_s"], 30);
  EXPECT_EQ(module["max_shrink_pct"], nullptr);
  EXPECT_EQ(module["created_at"], "2026-03-01T02:00:00.000Z");
  EXPECT_EQ(module["watermarks"][0]["connection"], "warehouse");
  EXPECT_EQ(module["hooks"][0]["run_on"], "success");
  const auto connection = show_of(Kind::connection, "warehouse");
  EXPECT_EQ(connection["driver"], "postgresql");
  EXPECT_EQ(connection["required_tags"], Json::array({"site:plant2"}));
  EXPECT_EQ(connection["default_dest_connection_id"], nullptr);
  EXPECT_EQ(connection["default_dest_connection"], nullptr);
}

TEST_F(Definitions, group_shows_members_and_schedules) {
  const auto group = show_of(Kind::group, "nightly");
  EXPECT_EQ(group["members"][0]["module"], "orders");
  EXPECT_EQ(group["members"][0]["module_id"], show_of(Kind::module, "orders")["id"]);
  EXPECT_EQ(group["members"][1]["run_order"], 2);
  EXPECT_EQ(group["members"][1]["enabled"], true);
  EXPECT_EQ(group["schedules"][0]["timezone"], "America/New_York");
  EXPECT_EQ((*list(db, Kind::group))[0]["members"].size(), 2U);
}

TEST_F(Definitions, module_list_tells_the_last_run) {
  start_run(*resolve(db, Kind::module, "orders"), "success");
  start_run(*resolve(db, Kind::module, "customers"));
  const auto all = *list(db, Kind::module);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["name"], "customers");
  EXPECT_EQ(all[0]["running"], true);
  EXPECT_EQ(all[0]["last_finished_at"], nullptr);
  EXPECT_EQ(all[1]["running"], false);
  EXPECT_EQ(all[1]["last_status"], "success");
  EXPECT_EQ(all[1]["last_finished_at"], "1970-01-01T00:00:03.500Z");
  EXPECT_EQ(all[1]["last_row_count"], 7);
  EXPECT_EQ(all[1]["last_duration_ms"], 2500);
  EXPECT_FALSE(all[1].contains("watermarks"));
}

TEST_F(Definitions, are_found_by_name_id_or_digits) {
  const auto id = *resolve(db, Kind::module, "orders");
  EXPECT_EQ(*resolve(db, Kind::module, id), id);
  EXPECT_EQ(*resolve(db, Kind::module, std::to_string(id)), id);
  EXPECT_EQ(find_module(db, "orders"), ModuleId{id});
  EXPECT_EQ(find_module(db, "order"), std::nullopt);
  EXPECT_EQ(find_module(db, Json::object()), std::nullopt);
  EXPECT_TRUE(find_group(db, "nightly").has_value());
  ASSERT_TRUE(add(db, Kind::module, module_fields("later"), now).ok());
  db.run("UPDATE module SET name = '1' WHERE name = 'later'");  // of a time when that was a name
  EXPECT_NE(*resolve(db, Kind::module, "1"), 1) << "a name comes before an id";
  const auto refused = resolve(db, Kind::module, "ordres");
  EXPECT_EQ(refused.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(refused.error().message, "there is no module 'ordres'");
  EXPECT_EQ(refused.error().hint, "did you mean 'orders'?");
}

TEST_F(Definitions, are_added_with_their_parts) {
  auto fields = module_fields("items");
  fields["source_query"] = "SELECT {a}";
  fields["watermarks"] = {{{"name", "a"}, {"connection", "erp"}, {"resolver_sql", "SELECT 1"}}};
  fields["hooks"] = {{{"connection", "erp"}, {"sql", "x"}}, {{"connection", "erp"}, {"sql", "y"}}};
  const auto added = add(db, Kind::module, fields, now);
  ASSERT_TRUE(added.ok()) << added.error().message;
  EXPECT_EQ((*added)["source_connection"], "erp");
  EXPECT_EQ((*added)["hooks"][1]["run_order"], 2);
  EXPECT_EQ((*added)["watermarks"][0]["default_value"], nullptr);
  const auto group =
      add(db, Kind::group, Json::parse(R"({"name": "g", "members": ["items", ["orders", "customers"]]})"), now);
  ASSERT_TRUE(group.ok()) << group.error().message;
  EXPECT_EQ((*group)["members"][2]["run_order"], 2);
}

TEST_F(Definitions, a_connection_may_be_its_own_default_destination) {
  const auto added = add(
      db, Kind::connection,
      {{"name", "own"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:x"}, {"default_dest_connection", "own"}}, now);
  ASSERT_TRUE(added.ok()) << added.error().message;
  EXPECT_EQ((*added)["default_dest_connection"], "own");
  EXPECT_TRUE(remove(db, Kind::connection, "own").ok());
}

TEST_F(Definitions, the_url_template_of_a_driver_allows_parameters_but_no_secrets) {
  ASSERT_TRUE(
      add(db, Kind::driver, {{"name", "exotic"}, {"url_template", "jdbc:exotic://HOST/DB?tuning=N&password=X"}}, now));
  const auto connection = [&](const char* driver, const char* url) {
    return refusal([&] {
      return add(db, Kind::connection, {{"name", "c"}, {"driver", driver}, {"jdbc_url", url}}, now);
    });
  };
  EXPECT_THAT(connection("exotic", "jdbc:exotic://h/d?tuning=3&user=u"), StartsWith("accepted"));
  EXPECT_THAT(connection("exotic", "jdbc:exotic://h/d?other=3"),
              AllOf(HasSubstr("has the parameter other, which is not allowed"), HasSubstr("url_template")));
  EXPECT_THAT(connection("exotic", "jdbc:exotic://h/d?password=hunter22"),
              AllOf(HasSubstr("contains a secret"), Not(HasSubstr("hunter22"))));
  EXPECT_THAT(connection("sqlite", "jdbc:exotic://h/d?tuning=3"), HasSubstr("has the parameter tuning"));
  EXPECT_TRUE(update(db, Kind::driver, "sqlite", {{"url_template", "jdbc:sqlite:PATH?vfs=x"}}, now).ok());
  EXPECT_THAT(connection("sqlite", "jdbc:sqlite:x?vfs=x"), HasSubstr("has the parameter vfs"));
}

TEST_F(Definitions, an_update_changes_the_named_fields_only) {
  const auto later = now + std::chrono::seconds(5);
  const auto updated = update(db, Kind::module, "orders", {{"retries", 3}, {"min_rows", nullptr}}, later);
  ASSERT_TRUE(updated.ok()) << updated.error().message;
  EXPECT_EQ((*updated)["retries"], 3);
  EXPECT_EQ((*updated)["min_rows"], nullptr);
  EXPECT_EQ((*updated)["timeout_s"], 3600);
  EXPECT_EQ((*updated)["watermarks"].size(), 1U);
  EXPECT_EQ((*updated)["updated_at"], "2026-03-01T02:00:05.000Z");
  const auto same = update(db, Kind::module, "orders", {{"retries", 3}}, later + std::chrono::seconds(5));
  EXPECT_EQ((*same)["updated_at"], "2026-03-01T02:00:05.000Z");
}

TEST_F(Definitions, a_rename_keeps_id_and_fence_and_a_new_module_gets_another_fence) {
  const auto id = show_of(Kind::module, "orders")["id"];
  const auto renamed = *update(db, Kind::module, "orders", {{"name", "sales"}}, now);
  EXPECT_EQ(renamed["id"], id);
  EXPECT_EQ(renamed["fence_name"], "orders");
  EXPECT_EQ(show_of(Kind::group, "nightly")["members"][0]["module"], "sales");
  const auto added = *add(db, Kind::module, module_fields("orders"), now);
  EXPECT_EQ(added["fence_name"], "orders~2");
}

TEST_F(Definitions, an_id_with_a_history_is_not_given_again) {
  const auto id = (*add(db, Kind::module, module_fields("last"), now))["id"];
  start_run(id.get<int64_t>());
  ASSERT_TRUE(remove(db, Kind::module, "last").ok()) << "its run goes on by its snapshot";
  const auto next = *add(db, Kind::module, module_fields("next"), now);
  EXPECT_GT(next["id"], id);
  EXPECT_EQ(next["running"], false);
}

TEST_F(Definitions, a_running_module_may_be_disabled) {
  start_run(*resolve(db, Kind::module, "orders"));
  EXPECT_EQ((*set_enabled(db, "orders", false, now))["enabled"], false);
  EXPECT_EQ((*set_enabled(db, "orders", true, now))["enabled"], true);
}

TEST_F(Definitions, in_use_are_not_removed) {
  const struct {
    Kind kind;
    const char* name;
    const char* message;
  } cases[] = {
      {Kind::driver, "sqlite", "in_use: driver 'sqlite' is still used by connection 'erp' (driver)"},
      {Kind::connection, "warehouse",
       "in_use: connection 'warehouse' is still used by module 'customers' (dest_connection), module 'orders' "
       "(dest_connection), module 'orders' (watermark), module 'orders' (hook)"},
      {Kind::module, "orders", "in_use: module 'orders' is still used by group 'nightly' (member)"},
      {Kind::group, "nightl", "not_found: there is no group 'nightl' | did you mean 'nightly'?"},
  };
  for (const auto& one : cases) {
    EXPECT_THAT(refusal([&] { return remove(db, one.kind, one.name); }), HasSubstr(one.message));
  }
  EXPECT_EQ(*remove(db, Kind::group, "nightly"), Json({{"removed", "nightly"}}));
  EXPECT_EQ(*remove(db, Kind::module, "orders"), Json({{"removed", "orders"}}));
  EXPECT_EQ(db.value<int64_t>("SELECT count(*) FROM watermark"), 0);
}

TEST_F(Definitions, of_a_taken_name_are_refused) {
  EXPECT_THAT(refusal([&] { return add(db, Kind::module, module_fields("orders"), now); }),
              HasSubstr("exists: there is already a module 'orders'"));
  EXPECT_THAT(refusal([&] {
                return update(db, Kind::module, "orders", {{"name", "customers"}}, now);
              }),
              HasSubstr("exists: there is already a module 'customers'"));
}

struct Wrong {
  Kind kind;
  const char* field;
  Json value;
  const char* message;
};

// One field of an otherwise valid definition is wrong.
TEST_F(Definitions, that_are_wrong_are_refused_with_the_reason) {
  const std::string long_name(101, 'x');
  const Wrong cases[] = {
      {Kind::module, "name", "", "name: must not be empty"},
      {Kind::module, "name", " ", "name: must not be empty"},
      {Kind::module, "name", " a", "name: begins or ends with a blank"},
      {Kind::module, "name", "a\nb", "name: has a control character"},
      {Kind::module, "name", long_name, "name: is longer than 100 bytes"},
      {Kind::module, "name", "a\xff", "name: is not valid UTF-8"},
      {Kind::module, "name", nullptr, "name: is missing"},
      {Kind::module, "name", 7, "name: must be text, not a number"},
      {Kind::module, "dest_table", nullptr, "dest_table: is missing | the table to write to"},
      {Kind::module, "source_query", "SELECT '\x01'", "source_query: has a control character"},
      {Kind::module, "source_connection", nullptr, "source_connection: is missing"},
      {Kind::module, "source_connection", "epr",
       "source_connection: there is no connection 'epr' | did you mean 'erp'?"},
      {Kind::module, "source_connection", 99, "source_connection: must be a name, not a number"},
      {Kind::module, "source_connection", true, "source_connection: must be a name, not true or false"},
      {Kind::module, "merge_strategy", "incrementl",
       "merge_strategy: 'incrementl' is not one of full, incremental, append | did you mean 'incremental'?"},
      {Kind::module, "merge_strategy", nullptr, "merge_strategy: is missing"},
      {Kind::module, "merge_strategy", "incremental",
       "merge_key: is missing: an incremental module replaces rows by it"},
      {Kind::module, "merge_key", {{"a", 1}}, "merge_key: must be text or a list of texts, not a map"},
      {Kind::module, "merge_key", {1}, "merge_key: must be a list of texts, not a number"},
      {Kind::module, "merge_key", Json::array({"id", "id"}), "merge_key: has 'id' twice"},
      {Kind::module, "merge_key", {""}, "merge_key: has an empty entry"},
      {Kind::module, "unique_key", true, "unique_key: needs a merge_key"},
      {Kind::module, "merge_method", "update", "merge_key: is missing: merge_method update finds rows by it"},
      {Kind::module, "merge_method", "merge", "merge_method: 'merge' is not one of replace, update"},
      {Kind::connection, "read_only", "no", "read_only: must be true or false"},
      {Kind::module, "unique_key", 1, "unique_key: must be true or false, not a number"},
      {Kind::module, "retries", -1, "retries: must not be negative"},
      {Kind::module, "retries", "3", "retries: must be a whole number, not text"},
      {Kind::module, "retries", 1.5, "retries: must be a whole number, not a fraction"},
      {Kind::module, "min_rows", 18'446'744'073'709'551'615U, "min_rows: must be from 0 to "},
      {Kind::module, "max_shrink_pct", 101, "max_shrink_pct: must be from 0 to 100"},
      {Kind::module, "timeout_s", -1, "timeout_s: must not be negative"},
      {Kind::module, "source_query", "SELECT {x}",
       "source_query: uses {x}, and the module has no watermark of that name"},
      {Kind::module, "source_query", "SELECT '{x}'", "source_query: uses {x}, and the module has no watermark"},
      {Kind::module, "source_query", "SELECT 1;\nSELECT 2",
       "source_query: must be exactly one SELECT; a second statement begins on line 2"},
      {Kind::module, "source_query", "-- SELECT 1;", "source_query: must be exactly one SELECT; it has only comments"},
      {Kind::module, "source_query", "/* a */ delete FROM t RETURNING *",
       "source_query: must be exactly one SELECT; it begins with delete"},
      {Kind::module, "source_query", "SELECT 1,\n'a", "source_query: the string that begins on line 2 is not closed"},
      {Kind::module, "source_query", "SELECT [a", "source_query: the quoted name that begins on line 1 is not closed"},
      {Kind::module, "merge_stratgy", "full", "a module has no field 'merge_stratgy' | did you mean 'merge_strategy'?"},
      {Kind::module, "next_resolved_query", "x", "a module has no field 'next_resolved_query'"},
      {Kind::module, "id", 5, "a module has no field 'id'"},
      {Kind::module, "fence_name", "x", "a module has no field 'fence_name'"},
      {Kind::module, "k\xff", 5, "a module has no field what is given"},
      {Kind::module, "watermarks", {{"name", "x"}}, "watermarks: must be a list, not a map"},
      {Kind::module, "watermarks", {"x"}, "watermarks[0]: a watermark must be a map of its fields, not text"},
      {Kind::module,
       "watermarks",
       {{{"name", "w"}, {"connection", "erp"}, {"resolver_sql", "x"}}},
       "watermarks[0].name: source_query does not use {w}"},
      {Kind::module,
       "watermarks",
       {{{"name", "9w"}, {"connection", "erp"}, {"resolver_sql", "x"}}},
       "watermarks[0].name: '9w' cannot be used in a query as {name}"},
      {Kind::module, "watermarks", {{{"name", "w"}, {"connection", "erp"}}}, "watermarks[0].resolver_sql: is missing"},
      {Kind::module,
       "watermarks",
       {{{"name", "w"}, {"connection", "warehouse"}, {"resolver_sql", "SELECT $a$"}}},
       "watermarks[0].resolver_sql: the string that begins on line 1 is not closed"},
      {Kind::module,
       "watermarks",
       {{{"name", "w"}, {"connection", "erp"}, {"resolver_sql", "x"}, {"null", "ignore"}}},
       "watermarks[0].null: 'ignore' is not one of default, error"},
      {Kind::module, "hooks", {{{"connection", "nope"}, {"sql", "x"}}}, "hooks[0].connection: there is no connection"},
      {Kind::module,
       "hooks",
       {{{"connection", "erp"}, {"sql", "x"}, {"run_on", "never"}}},
       "hooks[0].run_on: 'never' is not one of success, failure, always"},
      {Kind::connection, "jdbc_url", "sqlite:x", "jdbc_url: must begin with jdbc:"},
      {Kind::connection, "jdbc_url", "jdbc:postgresql://h/d?user=a&Password=secret1", "jdbc_url: contains a secret"},
      {Kind::connection, "jdbc_url", "jdbc:postgresql://scott:secret1@h/d", "jdbc_url: contains a secret"},
      {Kind::connection, "jdbc_url", "jdbc:postgresql://h/d?socketFactory=x",
       "jdbc_url: has the parameter socketFactory, which is not allowed"},
      {Kind::connection, "jdbc_url", "jdbc:sqlite:x?foreign_key=on",
       "jdbc_url: has the parameter foreign_key, which is not allowed | did you mean foreign_keys?"},
      {Kind::connection, "password", "secret1", "password: must be a reference, $NAME"},
      {Kind::connection, "password", "$", "password: must be a reference, $NAME"},
      {Kind::connection, "password", "$a b", "password: must be a reference, $NAME"},
      {Kind::connection, "driver", "sqlit", "driver: there is no driver 'sqlit' | did you mean 'sqlite'?"},
      {Kind::connection, "fence", "off", "fence: 'off' is not one of auto, none"},
      {Kind::connection, "max_sessions", -1, "max_sessions: must not be negative"},
      {Kind::connection, "required_tags", 7, "required_tags: must be text or a list of texts, not a number"},
      {Kind::group, "members", Json::array({"orders", "orders"}),
       "members[1]: member 'orders' is listed twice; the first one is members[0]"},
      {Kind::group, "members", {"ordres"}, "members[0].module: there is no module 'ordres' | did you mean 'orders'?"},
      {Kind::group, "members", {7.5}, "members[0].module: must be a name, not a fraction"},
      {Kind::group,
       "schedules",
       {{{"cron_expr", "* * * * *"}, {"every_s", 5}}},
       "schedules[0].every_s: belongs to kind: interval"},
      {Kind::group,
       "schedules",
       {{{"kind", "interval"}, {"every_s", 5}, {"cron_expr", "x"}}},
       "schedules[0].cron_expr: belongs to kind: cron"},
      {Kind::group, "schedules", {{{"every_s", 5}}}, "schedules[0].cron_expr: is missing | an interval needs kind"},
      {Kind::group, "schedules", {{{"kind", "interval"}}}, "schedules[0].every_s: is missing"},
      {Kind::group,
       "schedules",
       {{{"cron_expr", "x"}, {"timezone", ""}}},
       "schedules[0].timezone: '' is not a known time zone"},
      {Kind::group, "schedules", {{{"cron_expr", "x"}, {"misfire", "y"}}}, "schedules[0].misfire: 'y' is not one of"},
      {Kind::group,
       "schedules",
       {{{"cron_expr", "x"}}, {{"cron_expr", "x"}}},
       "schedules[1]: schedule 'x (UTC)' is listed twice"},
      {Kind::driver, "jar", "x", "a driver has no field 'jar'"},
  };
  for (const auto& one : cases) {
    Json fields = {{"name", "n"}};
    if (one.kind == Kind::module) fields = module_fields("n");
    if (one.kind == Kind::connection) fields = {{"name", "n"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:x"}};
    fields[one.field] = one.value;
    const auto told = refusal([&] { return add(db, one.kind, fields, now); });
    EXPECT_THAT(told, HasSubstr(one.message)) << one.field;
    EXPECT_THAT(told, testing::StartsWith("invalid: "));
    EXPECT_THAT(told, testing::Not(HasSubstr("secret1")));
  }
}

TEST_F(Definitions, all_that_is_wrong_is_told_at_once) {
  const auto told = refusal([&] { return add(db, Kind::module, {{"name", "n"}, {"retries", -1}, {"x", 1}}, now); });
  EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 6) << told;
}

TEST_F(Definitions, truncate_is_for_full_modules) {
  auto fields = module_fields("n");
  fields["truncate"] = true;
  EXPECT_TRUE(add(db, Kind::module, fields, now).ok());
  EXPECT_THAT(refusal([&] {
                return update(db, Kind::module, "n", {{"merge_strategy", "append"}}, now);
              }),
              HasSubstr("truncate: needs merge_strategy full"));
}

TEST_F(Definitions, watermarks_of_an_enabled_module_stay_in_step_with_its_query) {
  const Json fields = {{"name", "other"}, {"connection", "erp"}, {"resolver_sql", "SELECT 1"}};
  EXPECT_THAT(refusal([&] { return add_part(db, Kind::watermark, "orders", fields, now); }),
              HasSubstr("invalid: watermarks[1].name: source_query does not use {other}"));
  EXPECT_THAT(refusal([&] { return remove_part(db, Kind::watermark, "orders", "last_id", now); }),
              HasSubstr("in_use: source_query: uses {last_id}"));
  EXPECT_THAT(refusal([&] {
                return update_part(db, Kind::watermark, "orders", "last_id", {{"name", "x"}}, now);
              }),
              HasSubstr("invalid: source_query: uses {last_id}"));
  EXPECT_EQ(list_parts(db, Kind::watermark, "orders")->size(), 1U) << "what was refused is rolled back";
}

TEST_F(Definitions, a_disabled_module_is_completed_step_by_step_and_checked_when_enabled) {
  auto fields = module_fields("draft");
  fields["source_query"] = "SELECT {a}";
  fields["enabled"] = false;
  ASSERT_TRUE(add(db, Kind::module, fields, now).ok());
  EXPECT_THAT(refusal([&] { return set_enabled(db, "draft", true, now); }), HasSubstr("source_query: uses {a}"));
  const Json watermark = {{"name", "a"}, {"connection", "erp"}, {"resolver_sql", "SELECT 1"}};
  const auto added = add_part(db, Kind::watermark, "draft", watermark, now);
  ASSERT_TRUE(added.ok()) << added.error().message;
  EXPECT_TRUE(set_enabled(db, "draft", true, now).ok());
}

TEST_F(Definitions, watermarks_are_updated_by_name) {
  const auto later = now + std::chrono::seconds(5);
  const auto updated = update_part(db, Kind::watermark, "orders", "last_id", {{"default_value", nullptr}}, later);
  ASSERT_TRUE(updated.ok()) << updated.error().message;
  EXPECT_EQ((*updated)["default_value"], nullptr);
  EXPECT_EQ((*updated)["resolver_sql"], "SELECT max(id) FROM sales.orders");
  EXPECT_EQ(show_of(Kind::module, "orders")["updated_at"], to_iso(later));
  EXPECT_THAT(refusal([&] { return update_part(db, Kind::watermark, "orders", "lastid", Json::object(), now); }),
              HasSubstr("not_found: module 'orders' has no watermark lastid | did you mean 'last_id'?"));
  EXPECT_THAT(refusal([&] {
                return add_part(db, Kind::watermark, "orders",
                                {{"name", "last_id"}, {"connection", "erp"}, {"resolver_sql", "x"}}, now);
              }),
              HasSubstr("exists: there is already a watermark 'last_id'"));
}

TEST_F(Definitions, hooks_keep_their_ids_when_others_come_and_go) {
  const auto first = (*list_parts(db, Kind::hook, "orders"))[0]["id"];
  const auto last = *add_part(db, Kind::hook, "orders", {{"connection", "erp"}, {"sql", "last"}}, now);
  EXPECT_EQ(last["run_order"], 2);
  const auto early = *add_part(db, Kind::hook, "orders", {{"connection", "erp"}, {"sql", "x"}, {"run_order", 0}}, now);
  const auto hooks = *list_parts(db, Kind::hook, "orders");
  EXPECT_EQ(hooks[0]["id"], early["id"]);
  EXPECT_EQ(hooks[1]["id"], first);
  const auto changed = update_part(db, Kind::hook, "orders", first, {{"run_on", "always"}}, now);
  EXPECT_EQ((*changed)["run_order"], 1);
  EXPECT_EQ(*remove_part(db, Kind::hook, "orders", first, now), Json({{"removed", first}}));
  EXPECT_THAT(refusal([&] { return remove_part(db, Kind::hook, "orders", first, now); }), HasSubstr("not_found"));
  EXPECT_THAT(refusal([&] { return remove_part(db, Kind::hook, "customers", last["id"], now); }),
              HasSubstr("module 'customers' has no hook"));
}

TEST_F(Definitions, members_come_and_go) {
  ASSERT_TRUE(add(db, Kind::module, module_fields("items"), now).ok());
  const auto group = add_member(db, "nightly", "items", std::nullopt);
  ASSERT_TRUE(group.ok()) << group.error().message;
  EXPECT_EQ((*group)["members"][2]["run_order"], 3);
  EXPECT_THAT(refusal([&] { return add_member(db, "nightly", "items", 1); }),
              HasSubstr("exists: there is already a member 'items'"));
  EXPECT_EQ((*remove_member(db, "nightly", "items"))["members"].size(), 2U);
  EXPECT_THAT(refusal([&] { return remove_member(db, "nightly", "items"); }),
              HasSubstr("not_found: module 'items' is not a member of group 'nightly'"));
  EXPECT_EQ((*add_member(db, "nightly", "items", 1))["members"][0]["module"], "items");
}

TEST_F(Definitions, schedules_are_parts_of_their_group) {
  const auto added = add_part(db, Kind::schedule, "nightly", {{"cron_expr", "@hourly"}}, now);
  ASSERT_TRUE(added.ok()) << added.error().message;
  EXPECT_EQ((*added)["group"], "nightly");
  EXPECT_EQ((*added)["last_fired_at"], nullptr);
  EXPECT_THAT(refusal([&] {
                return add_part(db, Kind::schedule, "nightly", {{"cron_expr", "@hourly"}}, now);
              }),
              HasSubstr("exists: there is already a schedule '@hourly (UTC)'"));
  EXPECT_EQ((*update_part(db, Kind::schedule, "nightly", (*added)["id"], {{"enabled", false}}, now))["enabled"], false);
  EXPECT_EQ(list_schedules(db)->size(), 3U);
  EXPECT_TRUE(remove_part(db, Kind::schedule, "nightly", (*added)["id"], now).ok());
}

TEST_F(Definitions, snapshot_has_all_that_a_run_needs) {
  ASSERT_TRUE(add_part(db, Kind::hook, "orders", {{"connection", "erp"}, {"sql", "x"}, {"run_order", 0}}, now).ok());
  const auto made = snapshot(db, *find_module(db, "orders"));
  ASSERT_TRUE(made.ok());
  EXPECT_EQ(made->name, "orders");
  EXPECT_EQ(made->fence_name, "orders");
  EXPECT_EQ(made->source.jdbc_url, "jdbc:sqlite:/data/erp.db");
  EXPECT_EQ(made->dest.password, "$WH_PASSWORD");
  EXPECT_EQ(made->dest.driver, "postgresql");
  EXPECT_THAT(made->dest.required_tags, ElementsAre("site:plant2"));
  EXPECT_THAT(made->merge_key, ElementsAre("id"));
  EXPECT_EQ(made->min_rows, 1);
  EXPECT_EQ(made->max_shrink_pct, std::nullopt);
  ASSERT_EQ(made->watermarks.size(), 1U);
  EXPECT_EQ(made->watermarks[0].default_value, "0");
  EXPECT_EQ(made->watermarks[0].connection.name, "warehouse");
  EXPECT_FALSE(made->watermarks[0].raw);
  EXPECT_EQ(made->watermarks[0].on_null, "");
  ASSERT_EQ(made->hooks.size(), 2U);
  EXPECT_EQ(made->hooks[0].sql, "x");
  EXPECT_EQ(snapshot(db, ModuleId{99}).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(connection_snapshot(db, "warehouse")->max_sessions, 4);
}

}  // namespace
}  // namespace pipekit::definitions
