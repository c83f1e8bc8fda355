// apply and diff: checked on the read thread, written on the loop. What happens between the two.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/definitions/apply.h"
#include "broker/read_answer.h"
#include "tests/store/dialogue.h"
#include "tests/support/definition_store.h"

namespace pipekit::test {
namespace {

using testing::HasSubstr;

class Documents : public testing::Test, protected Dialogue {
 protected:
  Documents() : Dialogue(document_of({{{"name", "m"}}})) {}

  static Json module_fields(const char* name) {
    return {{"name", name},          {"source_connection", "erp"}, {"dest_connection", "wh"},
            {"dest_table", "other"}, {"source_query", "SELECT 2"}, {"merge_strategy", "full"}};
  }
  Request request(int64_t number, const std::string& verb, const Json& args) {
    Request made;
    made.client = "c";
    made.number = number;
    made.verb = verb;
    made.args = args;
    return made;
  }
  Reply from_uid(int uid, const Request& asked) {
    replies.clear();
    Received received;
    received.peer = "peer of " + std::to_string(uid);
    received.frames = encode(ClientToBroker{asked});
    received.process = std::to_string(uid) + ":100:4711";
    TurnInput input;
    input.from_clients.push_back(received);
    turn(std::move(input));
    return replies.empty() ? Reply{} : replies.back();
  }
};

TEST_F(Documents, are_checked_again_when_a_definition_changed_before_they_were_written) {
  before_writing = [&] { done("module.add", module_fields("x")); };
  const auto reply = done("apply", {{"document", document_of({{{"name", "x"}}})}});
  EXPECT_EQ(done("module.show", {{"name", "x"}})["dest_table"], "t") << "the document came last";
  bool updated = false;
  for (const auto& change : reply["changes"]) {
    updated = updated || (change["name"] == "x" && change["action"] == "update");
  }
  EXPECT_TRUE(updated) << reply;
}

TEST_F(Documents, are_refused_when_definitions_change_each_time_they_were_checked) {
  int changes = 0;
  std::function<void()> change = [&] {
    done(++changes % 2 == 0 ? "module.enable" : "module.disable", {{"name", "m"}});
    before_writing = change;
  };
  before_writing = change;
  EXPECT_EQ(refused("apply", {{"document", document_of({{{"name", "x"}}})}}), "unavailable");
  EXPECT_LT(changes, 20);
  before_writing = nullptr;
  EXPECT_EQ(refused("module.show", {{"name", "x"}}), "not_found");
}

TEST_F(Documents, are_written_once_however_often_they_are_sent) {
  const auto sent = request(1, "apply", {{"document", document_of({{{"name", "x"}}})}});
  const auto rows = count("SELECT count(*) FROM audit");
  before_writing = [&] { EXPECT_EQ(from_uid(7, sent).number, 0) << "under way: no second answer yet"; };
  EXPECT_FALSE(from_uid(7, sent).error);
  const auto again = from_uid(7, sent);
  EXPECT_EQ(again.body["applied"], true);
  EXPECT_EQ(count("SELECT count(*) FROM audit"), rows + 1);
}

TEST_F(Documents, of_a_client_that_is_gone_are_not_written) {
  before_writing = [&] {
    for (const auto id : broker->peer_gone("client")) EXPECT_GT(id, 0);
  };
  replies.clear();
  EXPECT_EQ(ask("apply", {{"document", document_of({{{"name", "x"}}})}}).number, 0);
  EXPECT_EQ(refused("module.show", {{"name", "x"}}), "not_found");
}

TEST_F(Documents, of_a_key_that_was_revoked_meanwhile_are_not_written) {
  const std::string key(40, 'k');
  done("keys.allow", {{"name", "ann"}, {"role", "operator"}, {"public_key", key}});
  before_writing = [&] {
    client_key = "";
    done("keys.revoke", {{"name", "ann"}});
  };
  client_key = key;
  const auto reply = ask("apply", {{"document", document_of({{{"name", "x"}}})}});
  ASSERT_TRUE(reply.error);
  EXPECT_EQ(reply.error->code, "refused");
}

TEST_F(Documents, that_take_longer_than_their_budget_are_refused_with_what_to_do) {
  ReadJob job;
  job.frames = encode(ClientToBroker{request(3, "diff", {{"document", document_of({{{"name", "x"}}})}})});
  const auto outcome = answer_read(*db, std::move(job), TimeBudget(std::chrono::nanoseconds{0}));
  const auto& reply = std::get<Reply>(std::get<BrokerToClient>(outcome));
  EXPECT_EQ(reply.number, 3);
  EXPECT_EQ(reply.error->code, "too_large");
  EXPECT_THAT(reply.error->hint, HasSubstr("split"));
}

TEST_F(Documents, that_nobody_waits_for_any_more_end_where_they_are) {
  ReadJob job;
  job.frames = encode(ClientToBroker{request(3, "diff", {{"document", document_of({{{"name", "x"}}})}})});
  const std::atomic<int64_t> abandoned{5};
  const auto outcome = answer_read(*db, std::move(job), TimeBudget(std::chrono::hours{1}, &abandoned, 5));
  EXPECT_TRUE(std::get<Reply>(std::get<BrokerToClient>(outcome)).error);
}

// --- whose answer it is

TEST_F(Documents, an_answer_is_given_again_to_its_owner_only) {
  const auto disable = request(1, "module.disable", {{"name", "m"}});
  EXPECT_EQ(from_uid(7, disable).body["enabled"], false);
  done("module.enable", {{"name", "m"}});
  EXPECT_EQ(from_uid(7, disable).body["enabled"], false) << "answered again";
  EXPECT_EQ(done("module.show", {{"name", "m"}})["enabled"], true) << "and not executed again";
  EXPECT_FALSE(from_uid(8, disable).error) << "the same client and number of somebody else is another request";
  EXPECT_EQ(done("module.show", {{"name", "m"}})["enabled"], false);
}

TEST_F(Documents, a_run_is_answered_again_to_its_owner_only) {
  const auto run = request(1, "run", {{"module", "m"}});
  const auto first = from_uid(7, run);
  ASSERT_FALSE(first.error);
  EXPECT_EQ(from_uid(7, run).body, first.body);
  EXPECT_EQ(from_uid(8, run).error->code, "already_running") << "executed, not answered from memory";
  restart();
  EXPECT_EQ(from_uid(7, run).body, first.body) << "also by the next broker";
  EXPECT_EQ(from_uid(8, run).error->code, "already_running");
}

TEST_F(Documents, a_number_that_was_another_verbs_gets_no_answer_of_that) {
  from_uid(7, request(1, "settings.set", {{"key", "runs_keep_days"}, {"value", 5}}));
  const auto reply = from_uid(7, request(1, "module.disable", {{"name", "m"}}));
  ASSERT_TRUE(reply.error);
  EXPECT_EQ(reply.error->code, "invalid");
  EXPECT_EQ(done("module.show", {{"name", "m"}})["enabled"], true);
}

TEST_F(Documents, an_answer_of_a_broker_that_kept_no_owner_is_nobodys_and_its_command_is_not_executed_again) {
  db->run("INSERT INTO request (client, request_no, at, reply) VALUES ('c', 1, 0, CAST('{\"secret\":1}' AS BLOB))");
  const auto reply = from_uid(7, request(1, "module.disable", {{"name", "m"}}));
  ASSERT_TRUE(reply.error);
  EXPECT_EQ(reply.error->code, "stale_request");
  EXPECT_EQ(done("module.show", {{"name", "m"}})["enabled"], true);
}

// --- work that grows with its input, and no faster

class LargeDocuments : public testing::Test, protected DefinitionStore {
 protected:
  // Quadratic work took minutes for these. Seconds are plenty, on any machine: processor time is counted.
  static constexpr std::chrono::seconds kPlenty{40};

  Json modules(int count) {
    auto document = sample_document();
    for (int i = 0; i < count; ++i) {
      auto module = document["modules"][1];
      module["name"] = "m" + std::to_string(i);
      document["modules"].push_back(module);
    }
    return document;
  }
};

TEST_F(LargeDocuments, of_sixty_thousand_members_are_checked_in_linear_time) {
  test::apply(db, modules(60'000), now);
  Json members = Json::array();
  for (int i = 0; i < 60'000; ++i) members.push_back("m" + std::to_string(i));
  const Json document = {{"groups", {{{"name", "large"}, {"members", members}}}}};
  const TimeBudget budget(kPlenty);
  auto plan = definitions::plan(db, document, false, budget);
  ASSERT_TRUE(plan.problems.empty());
  definitions::carry_out(db, plan, now);
  EXPECT_FALSE(definitions::plan(db, document, false, budget).changed);
  auto turned = document;
  std::ranges::reverse(turned["groups"][0]["members"]);
  plan = definitions::plan(db, turned, false, budget);
  EXPECT_TRUE(plan.changed);
  definitions::carry_out(db, plan, now);
  EXPECT_FALSE(budget.spent());
}

TEST_F(LargeDocuments, of_sixty_thousand_unknown_members_are_refused_in_linear_time) {
  test::apply(db, modules(10'000), now);
  Json members = Json::array();
  for (int i = 0; i < 60'000; ++i) members.push_back("unknown module of the name " + std::to_string(i));
  const TimeBudget budget(kPlenty);
  const auto plan = definitions::plan(db, {{"groups", {{{"name", "large"}, {"members", members}}}}}, false, budget);
  EXPECT_EQ(plan.problems.size(), definitions::kMostProblems);
  EXPECT_THAT(definitions::to_error(plan.problems).message, HasSubstr("only the first ones are listed"));
}

TEST_F(LargeDocuments, of_many_watermarks_and_placeholders_are_checked_in_linear_time) {
  auto document = sample_document();
  auto& module = document["modules"][0];
  module["watermarks"] = Json::array();
  std::string query = "SELECT 1";
  for (int i = 0; i < 30'000; ++i) {
    module["watermarks"].push_back(
        {{"name", "w" + std::to_string(i)}, {"connection", "erp"}, {"resolver_sql", "SELECT 1"}});
    query += " {w" + std::to_string(i) + "}";
  }
  module["source_query"] = query;
  const TimeBudget budget(kPlenty);
  EXPECT_TRUE(definitions::plan(db, document, false, budget).problems.empty());
}

}  // namespace
}  // namespace pipekit::test
