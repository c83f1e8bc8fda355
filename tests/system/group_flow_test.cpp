// Group runs: order, the effect of a failed or locked member on the others, and cancel.
#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::HasSubstr;

class GroupFlow : public FlowTest {
 protected:
  GroupFlow() {
    for (auto* database : {src_.get(), dst_.get()}) database->execute(kOrders);
    src_->execute(kThreeOrders);
  }

  void define(bool stop_on_failure) {
    apply("modules:\n" + orders_module("full", {}, "first") + orders_module("full", {"min_rows: 99"}, "broken") +
          orders_module("full", {"enabled: false"}, "off") + orders_module("full", {}, "last") +
          "groups:\n  - {name: nightly, stop_on_failure: " + (stop_on_failure ? "true" : "false") +
          ", members: [first, broken, off, last]}\n  - {name: idle, members: [off]}\n");
  }
  int64_t start(const std::string& group) {
    return system_.client().ask("run_group", {{"group", group}}).at("group_run_id");
  }
  Json finished_group(int64_t id) {
    events().wait_for("group_run.finished", [&](const LoggedEvent& event) {
      return event.kind == "group_run.finished" && event.fields.value("group_run_id", id) == id;
    });
    return json({"group-runs", "show", std::to_string(id)});
  }
  static std::string statuses(const Json& group_run) {
    std::string text;
    for (const auto& member : group_run["members"]) {
      text += member["module_name"].get<std::string>() + "=" + member["status"].get<std::string>() + " ";
    }
    return text;
  }
};

TEST_F(GroupFlow, goes_on_past_a_failure_and_ends_as_the_worst_of_its_members) {
  start_worker();
  define(false);
  const auto watched = ctl({"run-group", "nightly", "--watch"});
  EXPECT_EQ(watched.exit_code, 4) << watched.out << watched.err;
  const auto group_run = finished_group(1);
  EXPECT_EQ(group_run["status"], "error");
  EXPECT_THAT(statuses(group_run), HasSubstr("first=success broken=error "));
  EXPECT_THAT(statuses(group_run), HasSubstr("last=success "));
  EXPECT_EQ(dst_->rows("SELECT count(*) FROM orders"), "3");
}

TEST_F(GroupFlow, stops_at_a_failure_when_it_is_told_to) {
  start_worker();
  define(true);
  EXPECT_EQ(ctl({"run-group", "nightly", "--watch"}).exit_code, 4);
  EXPECT_EQ(json({"runs", "list", "--module", "last"}).size(), 0U);
}

TEST_F(GroupFlow, without_an_enabled_member_is_a_success_with_a_note) {
  define(false);
  const auto group_run = finished_group(start("idle"));
  EXPECT_EQ(group_run["status"], "success");
  EXPECT_TRUE(group_run["note"].is_string());
}

TEST_F(GroupFlow, a_member_that_is_locked_is_an_error_of_that_member_alone) {
  start_worker({.jrunner = runner(
                    "case \"${arguments[-1]}\" in *__broken_*|*__last_*) echo waits; exec sleep 1000;; esac\nreal")});
  define(false);
  const auto held = submit("broken");
  wait_for_line(held, "waits");
  const auto id = start("nightly");
  const auto last =
      events()
          .wait_for("a line of last",
                    [](const LoggedEvent& event) { return event.kind == "run.log" && event.module == "last"; })
          .run;
  cancel(last);
  const auto group_run = finished_group(id);
  EXPECT_THAT(group_run["members"].at(1)["error"].get<std::string>(), HasSubstr("already running: run 1"));
  EXPECT_THAT(statuses(group_run), HasSubstr("first=success broken=error "));
  EXPECT_THAT(statuses(group_run), HasSubstr("last=cancelled "));
  cancel(held);
  EXPECT_THAT(wait(held), Ended("cancelled"));
}

TEST_F(GroupFlow, a_cancel_ends_the_member_that_runs_and_begins_no_other) {
  start_worker({.jrunner = runner("if [ \"$MIGRATION\" ]; then echo waits; exec sleep 1000; fi; real")});
  define(false);
  const auto id = start("nightly");
  events().wait_for("a line of first", [](const LoggedEvent& event) { return event.kind == "run.log"; });
  EXPECT_EQ(json({"cancel", "--group", "nightly"})["cancelled"].size(), 1U);
  const auto group_run = finished_group(id);
  EXPECT_EQ(group_run["status"], "cancelled");
  EXPECT_EQ(json({"runs", "list"}).size(), 1U);
}

}  // namespace
}  // namespace pipekit::test
