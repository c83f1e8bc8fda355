// Each command that changes something is in the audit once: who, what, before and after.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/dialogue.h"

namespace pipekit::test {
namespace {

class Audit : public testing::Test, protected Dialogue {
 protected:
  Audit()
      : Dialogue(document_of({{{"name", "m"}}, {{"name", "n"}}},
                             {{{"name", "g"}, {"members", {"m"}}, {"schedules", {{{"cron_expr", "0 2 * * *"}}}}}})) {}
  // The newest row.
  Json last() { return done("audit.list", {{"limit", 1}}).at(0); }
  Json after(const std::string& verb, const Json& args) {
    const auto rows = count("SELECT count(*) FROM audit");
    done(verb, args);
    EXPECT_EQ(count("SELECT count(*) FROM audit"), rows + 1) << verb;
    auto row = last();
    EXPECT_EQ(row.at("verb"), verb);
    EXPECT_EQ(row.at("args"), args);
    return row;
  }
};

TEST_F(Audit, a_run_and_its_end_by_command_are_in_it) {
  const auto run = after("run", {{"module", "m"}});
  EXPECT_EQ(run.at("object"), "m");
  EXPECT_EQ(run.at("after"), Json({{"run_id", 1}}));
  const auto cancel = after("cancel", {{"run_id", 1}});
  EXPECT_EQ(cancel.at("object"), "m");
  EXPECT_EQ(cancel.at("before"), Json::array({{{"run_id", 1}, {"module", "m"}, {"status", "queued"}}}));
  EXPECT_EQ(cancel.at("after"), Json({{"cancelled", {1}}}));
}

TEST_F(Audit, a_group_run_and_its_end_by_command_are_in_it) {
  const auto run = after("run_group", {{"group", "g"}});
  EXPECT_EQ(run.at("object"), "g");
  EXPECT_EQ(run.at("after"), Json({{"group_run_id", 1}}));
  const auto cancel = after("cancel", {{"group", "g"}});
  EXPECT_EQ(cancel.at("before").at(0).at("module"), "m");
  EXPECT_EQ(cancel.at("after").at("group_run_id"), 1);
}

TEST_F(Audit, what_was_refused_or_changed_nothing_is_not) {
  done("run", {{"module", "m"}});
  const auto rows = count("SELECT count(*) FROM audit");
  EXPECT_EQ(refused("run", {{"module", "m"}}), "already_running");
  EXPECT_EQ(refused("module.disable", {{"name", "nobody"}}), "not_found");
  done("cancel", {{"module", "n"}});
  done("diff", {{"document", document_of({{{"name", "x"}}})}});
  done("apply", {{"document", document_of({{{"name", "m"}}, {{"name", "n"}}})}});
  EXPECT_EQ(count("SELECT count(*) FROM audit"), rows);
}

TEST_F(Audit, a_command_that_comes_again_is_in_it_once) {
  Request request;
  request.client = "c";
  request.number = 1;
  request.verb = "run";
  request.args = {{"module", "m"}};
  ask(request);
  const auto rows = count("SELECT count(*) FROM audit");
  ask(request);
  EXPECT_EQ(count("SELECT count(*) FROM audit"), rows);
}

TEST_F(Audit, has_what_was_there_before_a_change_and_after_it) {
  auto row = after("settings.set", {{"key", "runs_keep_days"}, {"value", 365}});
  EXPECT_EQ(row.at("before"), Json({{"value", "90"}}));
  EXPECT_EQ(row.at("after"), Json({{"value", "365"}}));
  row = after("module.disable", {{"name", "m"}});
  EXPECT_EQ(row.at("before"), Json({{"enabled", true}}));
  EXPECT_EQ(row.at("after"), Json({{"enabled", false}}));
  row = after("hook.add", {{"module", "m"}, {"connection", "wh"}, {"sql", "SELECT 2"}});
  EXPECT_EQ(row.at("object"), "m");
  EXPECT_EQ(row.at("before").at("hooks").size(), 0U);
  EXPECT_EQ(row.at("after").at("hooks").size(), 1U);
  row = after("group.add_member", {{"group", "g"}, {"module", "n"}});
  EXPECT_EQ(row.at("before").at("members").size(), 0U) << "only what differs";
  EXPECT_EQ(row.at("after").at("members").size(), 1U);
  row = after("schedule.disable", {{"id", 1}});
  EXPECT_EQ(row.at("object"), "g");
  EXPECT_EQ(row.at("before").at("schedules").at(0).at("enabled"), true);
  EXPECT_EQ(row.at("after").at("schedules").at(0).at("enabled"), false);
  row = after("schedule.remove", {{"id", 1}});
  EXPECT_EQ(row.at("before").at("schedules").size(), 1U);
  EXPECT_EQ(row.at("after").at("schedules").size(), 0U);
}

TEST_F(Audit, a_local_client_is_named_by_its_uid_and_not_by_what_it_calls_itself) {
  Request request;
  request.client = "c";
  request.number = 1;
  request.user = "root";
  request.verb = "module.disable";
  request.args = {{"name", "m"}};
  Received received;
  received.peer = "client";
  received.frames = encode(ClientToBroker{request});
  received.process = "1000:100:4711";
  TurnInput input;
  input.from_clients.push_back(received);
  turn(std::move(input));
  EXPECT_EQ(last().at("who"), "uid 1000 (root)");
  for (const auto* who : {"uid 1000 (root)", "uid 1000", "root"}) {
    EXPECT_EQ(done("audit.list", {{"who", who}}).size(), 1U) << who;
  }
  for (const auto* who : {"uid 100", "oot", "%"}) EXPECT_EQ(done("audit.list", {{"who", who}}).size(), 0U) << who;
}

TEST_F(Audit, one_on_loopback_whose_uid_nobody_knows_is_local) {
  after("module.disable", {{"name", "m"}});
  EXPECT_EQ(last().at("who"), "local (tester)");
}

}  // namespace
}  // namespace pipekit::test
