// Groups: stages, failures, locks, restarts, cancels.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/dialogue.h"

namespace pipekit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Json member(const char* module, int order) { return {{"module", module}, {"run_order", order}}; }

class GroupRun : public testing::Test, protected test::Dialogue {
 protected:
  GroupRun()
      : Dialogue(test::document_of(
            {{{"name", "a"}}, {{"name", "b"}}, {{"name", "c"}}, {{"name", "off"}, {"enabled", false}}},
            {{{"name", "nightly"}, {"members", {member("a", 1), member("b", 2), member("off", 2), member("c", 2)}}},
             {{"name", "strict"},
              {"stop_on_failure", true},
              {"members", {member("a", 1), member("b", 2), member("c", 3)}}},
             {{"name", "parallel"}, {"members", {member("a", 5), member("b", 5)}}},
             {{"name", "empty"}, {"members", {member("off", 1)}}}})) {
    w1.join();
    w1.heard();
  }
  int64_t start(const char* group) { return done("run_group", {{"group", group}})["group_run_id"]; }
  RunKey key_of(size_t assignment) {
    return RunKey{RunId{static_cast<int64_t>(assignment)}, Epoch{static_cast<int64_t>(assignment)}};
  }
  // "success: a success, b error"
  std::string told(int64_t id) {
    const auto shown = done("group_runs.show", {{"id", id}});
    std::string text = shown["status"].get<std::string>() + ":";
    for (const auto& m : shown["members"]) {
      text += fmt::format(" {} {}", m["module_name"].get<std::string>(), m["status"].get<std::string>());
    }
    return text;
  }
  test::FakeWorker w1{*this, "w1"};
};

TEST_F(GroupRun, runs_its_stages_in_order_and_equal_ones_side_by_side) {
  const auto reply = done("run_group", {{"group", "nightly"}});
  EXPECT_EQ(events(reply["seq"].get<int64_t>() - 1).front(), "group_run.started");
  const auto id = reply["group_run_id"].get<int64_t>();
  EXPECT_THAT(w1.heard(), ElementsAre("assign 1/1"));
  EXPECT_EQ(w1.assignment().module.name, "a");
  EXPECT_EQ(told(id), "running: a running b waiting c waiting") << "a disabled module is no member";
  w1.finish(w1.take(), "success", "merged");
  EXPECT_THAT(w1.heard(), ElementsAre("assign 2/2", "assign 3/3", "ack 1/1 #1"));
  w1.finish(key_of(3), "success", "merged");
  EXPECT_EQ(told(id), "running: a success b running c success");
  w1.finish(key_of(2), "success", "merged");
  EXPECT_EQ(told(id), "success: a success b success c success");
  EXPECT_EQ(events().back(), "group_run.finished");
  EXPECT_EQ(count("SELECT count(*) FROM run_log WHERE group_run_id = ?", id), 3);
}

TEST_F(GroupRun, goes_on_past_a_failure_and_ends_as_its_worst) {
  const auto id = start("nightly");
  w1.finish(w1.take(), "error", "none", "x");
  w1.finish(key_of(2), "success", "merged");
  w1.finish(key_of(3), "cancelled");
  EXPECT_EQ(told(id), "error: a error b success c cancelled");
}

TEST_F(GroupRun, stops_on_a_failure_when_it_is_to) {
  const auto id = start("strict");
  w1.finish(w1.take(), "success", "merged");
  w1.finish(w1.take(), "error", "none", "x");
  EXPECT_EQ(told(id), "error: a success b error c cancelled");
  EXPECT_EQ(done("group_runs.show", {{"id", id}})["members"][2]["error"], "not run: b failed");
  EXPECT_EQ(count("SELECT count(*) FROM run_log"), 2);
}

TEST_F(GroupRun, takes_a_locked_member_for_an_error_of_that_member) {
  run("b");
  const auto held = w1.take();
  const auto id = start("parallel");
  EXPECT_EQ(told(id), "running: a running b error");
  EXPECT_THAT(done("group_runs.show", {{"id", id}})["members"][1]["error"].get<std::string>(),
              HasSubstr("module b is already running: run 1"));
  w1.finish(w1.take(), "success", "merged");
  EXPECT_EQ(told(id), "error: a success b error");
  w1.finish(held, "success", "merged");
  EXPECT_EQ(told(id), "error: a success b error") << "that run is none of the group's";
}

TEST_F(GroupRun, with_every_member_locked_ends_at_once) {
  w1.draining = true;
  w1.beat();
  run("a");
  run("b");
  EXPECT_EQ(told(start("parallel")), "error: a error b error");
}

TEST_F(GroupRun, without_an_enabled_member_succeeds_with_a_note) {
  const auto id = start("empty");
  const auto shown = done("group_runs.show", {{"id", id}});
  EXPECT_EQ(shown["status"], "success");
  EXPECT_EQ(shown["note"], "the group has no enabled member");
  EXPECT_EQ(start("empty"), id + 1) << "it holds nothing";
}

TEST_F(GroupRun, is_one_at_a_time) {
  const auto id = start("nightly");
  const auto again = ask("run_group", {{"group", "nightly"}});
  EXPECT_EQ(again.error->code, "already_running");
  EXPECT_THAT(again.error->message, HasSubstr(fmt::format("group run {}", id)));
  EXPECT_EQ(refused("run_group", {{"group", "nightlies"}}), "not_found");
  EXPECT_EQ(count("SELECT count(*) FROM group_run"), 1);
}

TEST_F(GroupRun, goes_on_after_a_restart_of_the_broker) {
  const auto id = start("strict");
  const auto key = w1.take();
  restart();
  w1.join();
  w1.finish(key, "success", "merged");
  EXPECT_EQ(told(id), "running: a success b running c waiting");
  const auto second = w1.take();
  restart();
  wait(kLease);
  EXPECT_EQ(told(id), "error: a success b error c cancelled") << "b was lost";
  EXPECT_EQ(end_of(second.run), "error worker_lost");
}

TEST_F(GroupRun, runs_its_members_as_they_were_when_it_began) {
  const auto id = start("nightly");
  done("group.remove_member", {{"group", "nightly"}, {"module", "b"}});
  done("module.disable", {{"name", "c"}});
  w1.finish(w1.take(), "success", "merged");
  EXPECT_EQ(told(id), "running: a success b running c running");
}

TEST_F(GroupRun, takes_a_deleted_member_for_an_error_of_that_member) {
  const auto id = start("nightly");
  done("group.remove_member", {{"group", "nightly"}, {"module", "b"}});
  done("group.remove_member", {{"group", "strict"}, {"module", "b"}});
  done("group.remove_member", {{"group", "parallel"}, {"module", "b"}});
  done("module.remove", {{"name", "b"}});
  w1.finish(w1.take(), "success", "merged");
  EXPECT_EQ(told(id), "running: a success b error c running");
  w1.finish(w1.take(), "success", "merged");
  EXPECT_EQ(told(id), "error: a success b error c success");
}

TEST_F(GroupRun, that_is_cancelled_asks_its_runs_to_end_and_starts_no_other) {
  const auto id = start("nightly");
  const auto key = w1.take();
  EXPECT_EQ(done("cancel", {{"group", "nightly"}}), (Json{{"cancelled", {1}}, {"group_run_id", id}}));
  EXPECT_THAT(w1.heard(), ElementsAre("cancel 1/1"));
  EXPECT_EQ(told(id), "running: a running b waiting c waiting");
  w1.finish(key, "cancelled");
  EXPECT_EQ(told(id), "cancelled: a cancelled b cancelled c cancelled");
  EXPECT_EQ(count("SELECT count(*) FROM run_log"), 1);
  EXPECT_EQ(done("cancel", {{"group", "nightly"}})["group_run_id"], nullptr) << "not live";
}

TEST_F(GroupRun, that_is_cancelled_in_the_queue_ends_at_once) {
  w1.draining = true;
  w1.beat();
  const auto id = start("parallel");
  EXPECT_EQ(done("cancel", {{"group", "parallel"}})["cancelled"], Json({1, 2}));
  EXPECT_EQ(told(id), "cancelled: a cancelled b cancelled");
  EXPECT_EQ(count("SELECT count(*) FROM group_run WHERE finished_at IS NULL"), 0);
  start("parallel");
}

TEST_F(GroupRun, that_is_cancelled_stays_so_over_a_restart) {
  const auto id = start("nightly");
  const auto key = w1.take();
  done("cancel", {{"group", "nightly"}});
  restart();
  w1.join();
  w1.finish(key, "success", "merged");  // the cancel arrived too late for this one
  EXPECT_EQ(told(id), "cancelled: a success b cancelled c cancelled");
}

TEST_F(GroupRun, passes_dry_run_on_to_its_members) {
  const auto id = done("run_group", {{"group", "parallel"}, {"dry_run", true}})["group_run_id"].get<int64_t>();
  EXPECT_TRUE(w1.assignment().dry_run);
  w1.finish(key_of(1), "dry_run");
  w1.finish(key_of(2), "dry_run");
  EXPECT_EQ(told(id), "dry_run: a dry_run b dry_run");
}

TEST(WorstStatus, is_that_of_the_worst_member) {
  EXPECT_EQ(worst_status({"success", "error", "cancelled"}, false), "error");
  EXPECT_EQ(worst_status({"success", "cancelled"}, false), "cancelled");
  EXPECT_EQ(worst_status({"success"}, false), "success");
  EXPECT_EQ(worst_status({"dry_run", "dry_run"}, true), "dry_run");
  EXPECT_EQ(worst_status({}, true), "dry_run");
  EXPECT_EQ(worst_status({}, false), "success");
}

}  // namespace
}  // namespace pipekit
