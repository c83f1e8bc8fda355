// `why`: the most important reason comes first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/dialogue.h"

namespace pipekit {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

const Json kGroups = Json::parse(R"([
  {"name": "nightly", "members": ["orders"], "schedules": [{"cron_expr": "0 5 * * *"}]},
  {"name": "paused", "members": ["orders", "off"], "schedules": [{"cron_expr": "0 5 * * *", "enabled": false}]},
  {"name": "bare", "members": ["off", "customers"]},
  {"name": "staged", "members": [{"module": "early", "run_order": 1}, {"module": "late", "run_order": 2}]},
  {"name": "strict", "stop_on_failure": true,
   "members": [{"module": "early", "run_order": 1}, {"module": "slow", "run_order": 1}, {"module": "late", "run_order": 2}]}])");

class WhyTest : public testing::Test, protected test::Dialogue {
 protected:
  WhyTest()
      : Dialogue(test::document_of({{{"name", "orders"}},
                                    {{"name", "customers"}, {"retries", 1}, {"retry_backoff_s", 30}},
                                    {{"name", "off"}, {"enabled", false}},
                                    {{"name", "alone"}},
                                    {{"name", "early"}},
                                    {{"name", "slow"}},
                                    {{"name", "late"}}},
                                   kGroups)) {}
  Json reasons(const Json& args) { return done("why", args)["reasons"]; }
  Json first(const std::string& module) { return reasons({{"module", module}}).at(0); }
  std::vector<std::string> codes(const std::string& module) {
    std::vector<std::string> list;
    for (const auto& reason : reasons({{"module", module}})) list.push_back(reason["code"]);
    return list;
  }
  static std::string text(const Json& reason) { return reason["text"]; }
  test::FakeWorker w1{*this, "w1"};
};

TEST_F(WhyTest, of_an_idle_module_tells_each_groups_next_time_and_how_it_went) {
  EXPECT_THAT(codes("orders"), ElementsAre("scheduled", "paused", "never_run"));
  const auto next = first("orders");
  EXPECT_EQ(next["until"], "2026-03-01T05:00:00.000Z");
  EXPECT_EQ(next["group"], "nightly");
  const auto paused = reasons({{"module", "orders"}}).at(1);
  EXPECT_EQ(text(paused), "its group paused is paused: its schedule is disabled");
  EXPECT_THAT(paused["hint"], HasSubstr("pipekit-ctl schedule enable "));
  EXPECT_THAT(text(first("customers")), HasSubstr("bare has no schedule"));
  EXPECT_THAT(text(first("alone")), HasSubstr("in no group"));
  EXPECT_THAT(codes("off"), ElementsAre("disabled", "never_run"));
  EXPECT_EQ(first("off")["hint"], "pipekit-ctl module enable off");
  w1.join();
  run("alone");
  w1.finish(w1.take(), "error", "none", "broken");
  EXPECT_THAT(codes("alone"), ElementsAre("ended", "not_scheduled"));
  EXPECT_THAT(text(first("alone")), HasSubstr("run 1 has ended: error: broken happened"));
  EXPECT_EQ(first("alone")["hint"], "pipekit-ctl runs show 1");
  run("alone");
  w1.finish(w1.take(), "success", "merged");
  EXPECT_THAT(codes("alone"), ElementsAre("not_scheduled", "ended"));
}

TEST_F(WhyTest, of_a_member_that_waits_for_its_turn_tells_which_comes_first) {
  w1.join();
  done("run_group", {{"group", "staged"}});
  const auto key = w1.take();
  const auto reason = first("late");
  EXPECT_EQ(reason["code"], "group_under_way");
  EXPECT_EQ(text(reason), "its group staged is running (group run 1), and is now at early: this module comes later");
  done("module.update", {{"name", "late"}, {"set", {{"enabled", false}}}});
  EXPECT_THAT(codes("late"), ElementsAre("disabled", "group_under_way", "never_run"))
      << "it has the module from before";
  w1.finish(key, "success", "merged");
  EXPECT_EQ(reasons({{"module", "late"}}).at(1)["code"], "running");
}

TEST_F(WhyTest, of_a_member_whose_turn_does_not_come_tells_why) {
  w1.slots = 1;
  w1.join();
  done("run_group", {{"group", "strict"}});
  const auto failing = w1.take();
  w1.begin(failing);
  w1.finish(failing, "error", "none", "broken");
  const auto key = w1.take();
  EXPECT_EQ(text(first("late")),
            "its group strict is running (group run 1), but early has failed: this module will not run");
  w1.begin(key);
  w1.finish(key, "success", "merged");
  done("run_group", {{"group", "staged"}});
  w1.begin(w1.take());
  done("cancel", {{"group", "staged"}});
  EXPECT_THAT(text(first("late")), HasSubstr("(group run 2), and is being cancelled: this module will not run"));
}

TEST_F(WhyTest, of_a_module_whose_schedule_could_not_run_it_tells_when_and_why) {
  w1.join();
  done("run_group", {{"group", "nightly"}});
  const auto key = w1.take();
  for (int beats = 0; beats <= 360; ++beats) {
    pass(seconds{30});
    w1.beat();
  }
  EXPECT_EQ(first("orders")["code"], "running");
  w1.finish(key, "success", "merged");
  EXPECT_THAT(codes("orders"), ElementsAre("skipped", "scheduled", "paused", "ended"));
  EXPECT_THAT(text(first("orders")), HasSubstr("its group nightly was not run at 2026-03-01T05:00:00.000Z: overlap, "));
  wait(std::chrono::hours{24});
  done("cancel", {{"module", "orders"}});
  EXPECT_THAT(codes("orders"), ElementsAre("ended", "scheduled", "paused")) << "that was then";
}

TEST_F(WhyTest, of_a_locked_module_tells_which_run_holds_it_where_and_at_which_step) {
  w1.join();
  run("orders");
  const auto key = w1.take();
  EXPECT_THAT(text(first("orders")), HasSubstr("has not begun yet"));
  w1.begin(key);
  w1.tell(key, fact::Step{0, "transfer", ""});
  w1.tell(key, fact::Progress{0, 1});
  pass(seconds{15});
  w1.beat();
  const auto reason = first("orders");
  EXPECT_EQ(text(reason), "locked by run 1, which is running on worker w1, at the step transfer for 15 s (1 row)");
  EXPECT_EQ(reason["code"], "running");
  EXPECT_EQ(reason["status"], "running");
  EXPECT_EQ(reason["run_id"], 1);
  EXPECT_EQ(reason["worker"], "w1");
  EXPECT_EQ(reason["step"], "transfer");
  EXPECT_EQ(reason["since"], "2026-03-01T02:00:00.000Z");
  EXPECT_EQ(reasons({{"run_id", 1}}).at(0)["code"], "running");
  EXPECT_EQ(refused("why", {{"run_id", 9}}), "not_found");
}

TEST_F(WhyTest, of_a_run_on_a_silent_worker_tells_when_its_lease_ends) {
  w1.join();
  run("orders");
  w1.begin(w1.take());
  wait(seconds{40});
  const auto reason = first("orders");
  EXPECT_EQ(reason["code"], "silent_worker");
  EXPECT_EQ(reason["until"], "2026-03-01T02:01:00.000Z");
  EXPECT_THAT(text(reason), AllOf(HasSubstr("last heard from 40 s ago"), HasSubstr("lease ends in 20 s")));
  EXPECT_EQ(done("workers.list", Json::object()).at(0)["state"], "silent");
  EXPECT_EQ(done("workers.list", Json::object()).at(0)["seen_at"], "2026-03-01T02:00:00.000Z");
  w1.beat();
  EXPECT_EQ(first("orders")["code"], "running");
  EXPECT_EQ(done("workers.list", Json::object()).at(0)["state"], "connected");
  wait(minutes{2});
  const auto lost = done("workers.list", Json::object()).at(0);
  EXPECT_EQ(lost["state"], "lost");
  EXPECT_EQ(lost["seen_at"], "2026-03-01T02:00:40.000Z") << "when it was last heard from, not when it was given up";
}

TEST_F(WhyTest, after_a_restart_of_the_broker_a_worker_that_is_not_back_is_named) {
  w1.join();
  run("orders");
  w1.begin(w1.take());
  restart();
  run("customers");
  EXPECT_THAT(text(first("orders")), HasSubstr("not heard from since the broker started"));
  EXPECT_THAT(text(first("customers")), HasSubstr("w1 has not reconnected since the broker started"));
}

TEST_F(WhyTest, of_a_waiting_run_names_who_has_what_it_waits_for) {
  run("orders");
  EXPECT_EQ(first("orders")["code"], "no_worker");
  EXPECT_THAT(first("orders")["hint"], "start one: pipekit-worker --name NAME");
  w1.slots = 1;
  w1.join();
  w1.take();
  run("customers");
  auto reason = first("customers");
  EXPECT_EQ(reason["code"], "no_free_slot");
  EXPECT_THAT(text(reason), HasSubstr("no free slot on a worker that may run it (run 1)"));
  EXPECT_EQ(reason["runs"], Json::array({1}));
  done("connection.update", {{"name", "erp"}, {"set", {{"max_sessions", 1}}}});
  run("alone");
  reason = first("alone");
  EXPECT_EQ(reason["code"], "connection_full");
  EXPECT_EQ(reason["connection"], "erp");
  EXPECT_EQ(reason["runs"], Json::array({1}));
  done("cancel", {{"module", "alone"}});
  done("connection.update", {{"name", "erp"}, {"set", {{"required_tags", {"site:far"}}}}});
  run("alone");
  reason = first("alone");
  EXPECT_EQ(reason["code"], "no_worker_with_tags");
  EXPECT_EQ(reason["hint"], "start one: pipekit-worker --name NAME --tag site:far");
  w1.draining = true;
  w1.beat();
  EXPECT_THAT(text(first("customers")), HasSubstr("no worker accepts runs now: w1 is draining"));
}

TEST_F(WhyTest, of_a_waiting_run_names_a_driver_that_no_worker_has) {
  w1.drivers = {"postgresql"};
  w1.join();
  run("customers");
  const auto reason = first("customers");
  EXPECT_EQ(reason["code"], "no_worker_with_driver");
  EXPECT_EQ(reason["driver"], "sqlite");
  EXPECT_EQ(text(reason), "locked by run 1, which is queued: no worker has the driver sqlite");
}

TEST_F(WhyTest, of_a_run_that_waits_for_its_retry_tells_until_when_and_why) {
  w1.join();
  run("customers");
  const auto key = w1.take();
  w1.begin(key);
  w1.finish(key, "error", "none", "broken");
  const auto reason = first("customers");
  EXPECT_EQ(reason["code"], "retry_wait");
  EXPECT_EQ(reason["until"], "2026-03-01T02:00:30.000Z");
  EXPECT_THAT(text(reason), HasSubstr("broken happened"));
}

TEST_F(WhyTest, of_a_group_run_tells_of_its_live_members) {
  const auto id = done("run_group", {{"group", "bare"}})["group_run_id"];
  const auto waiting = reasons({{"group_run_id", id}});
  ASSERT_EQ(waiting.size(), 1U);
  EXPECT_EQ(text(waiting[0]), "run 1 of customers is queued: no worker is connected");
  EXPECT_EQ(reasons({{"group_run_id", 99}}), Json::array());
}

// --- timing by step

TEST_F(WhyTest, a_runs_steps_are_shown_while_it_runs_and_when_it_is_over) {
  const auto shown = [&] { return done("runs.show", {{"id", 1}}); };
  run("orders");
  pass(seconds{5});
  w1.join();
  const auto key = w1.take();
  w1.begin(key);
  w1.tell(key, fact::Step{0, "claim", ""});
  pass(seconds{2});
  w1.tell(key, fact::Step{0, "transfer", ""});
  w1.tell(key, fact::Step{0, "transfer", "more of it"});
  pass(seconds{3});
  EXPECT_EQ(shown()["steps"], Json::parse(R"([
    {"name": "queue", "started_at": "2026-03-01T02:00:00.000Z", "duration_ms": 5000},
    {"name": "claim", "started_at": "2026-03-01T02:00:05.000Z", "duration_ms": 2000},
    {"name": "transfer", "started_at": "2026-03-01T02:00:07.000Z", "duration_ms": 3000}])"));
  fact::Finished finished;
  finished.status = "success";
  finished.outcome = "merged";
  finished.steps = {{"claim", to_ms(wall), 1990}, {"transfer", to_ms(wall), 2980}};
  w1.tell(key, std::move(finished));
  const auto ended = shown();
  EXPECT_EQ(ended["steps"][1]["duration_ms"], 1990) << "the worker's own clock is the better one";
  EXPECT_EQ(ended["steps"], ended["attempts"][0]["steps"]);
}

TEST_F(WhyTest, the_steps_of_a_lost_attempt_are_kept_as_far_as_they_were_heard) {
  w1.join();
  run("customers");
  const auto key = w1.take();
  w1.begin(key);
  w1.tell(key, fact::Step{0, "transfer", ""});
  wait(kLease);
  wait(minutes{10});
  const auto attempt = done("runs.show", {{"id", 1}})["attempts"][0];
  EXPECT_EQ(attempt["state"], "lost");
  EXPECT_EQ(attempt["steps"][1],
            Json({{"name", "transfer"}, {"started_at", "2026-03-01T02:00:00.000Z"}, {"duration_ms", 60'000}}));
}

// --- lists

TEST_F(WhyTest, a_list_of_modules_has_their_sql_only_where_it_is_asked_for) {
  EXPECT_FALSE(done("module.list", Json::object()).at(0).contains("source_query"));
  EXPECT_TRUE(done("module.list", {{"full", true}}).at(0).contains("source_query"));
  EXPECT_TRUE(done("module.show", {{"name", "orders"}}).contains("source_query"));
}

TEST_F(WhyTest, a_group_is_shown_with_its_last_run) {
  w1.join();
  EXPECT_FALSE(done("group.list", Json::object()).at(0).contains("last_status"));
  done("run_group", {{"group", "bare"}});
  w1.finish(w1.take(), "success", "merged");
  done("run_group", {{"group", "bare"}});
  const auto bare = done("status", Json::object())["groups"].at(0);
  EXPECT_EQ(bare["name"], "bare");
  EXPECT_EQ(bare["last_status"], "running");
  EXPECT_EQ(bare["last_group_run_id"], 2);
}

}  // namespace
}  // namespace pipekit
