// Hooks: which ones run, in which order, what is recorded, and that the merge remains whatever they do.
#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FlowHook : public FlowTest {
 protected:
  FlowHook() {
    for (auto* database : {src_.get(), dst_.get()}) database->execute(kOrders);
    src_->execute(kThreeOrders);
    dst_->execute("CREATE TABLE trace (word text)");
  }

  static Words hooks() {
    const auto hook = [](int order, const std::string& word, const std::string& run_on) {
      return "  - {run_order: " + std::to_string(order) + ", connection: dst, run_on: " + run_on +
             ", sql: \"INSERT INTO trace VALUES ('" + word + "')\"}";
    };
    return {"hooks:", hook(3, "third", "always"), hook(1, "first", "success"), hook(2, "second", "failure")};
  }
  std::string trace() { return dst_->rows("SELECT word FROM trace ORDER BY rowid"); }
};

TEST_F(FlowHook, run_in_their_order_after_success_or_failure_as_they_ask) {
  start_worker();
  auto broken = hooks();
  broken.emplace_back("min_rows: 99");
  apply("modules:\n" + orders_module("full", hooks()) + orders_module("full", broken, "broken"));
  EXPECT_THAT(run("orders"), Ended("success"));
  EXPECT_EQ(trace(), "first\nthird");
  EXPECT_THAT(run("broken"), Ended("error"));
  EXPECT_EQ(trace(), "first\nthird\nsecond\nthird");
}

TEST_F(FlowHook, one_that_fails_is_recorded_and_the_merge_stays) {
  start_worker();
  apply(
      "modules:\n" +
      orders_module(
          "full",
          {"hooks:", "  - {run_order: 1, connection: dst, sql: \"SELECT * FROM nowhere\", run_on: always}",
           "  - {run_order: 2, connection: dst, sql: \"SELECT count(*) AS rows_now FROM orders\", run_on: success}"}));
  const auto ended = run("orders");
  EXPECT_THAT(ended, Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT count(*) FROM orders"), "3");
  EXPECT_THAT(ended["hook_log"].get<std::string>(),
              AllOf(HasSubstr("hook 1 on dst: failed"), HasSubstr("no such table: nowhere"),
                    HasSubstr("hook 2 on dst: ok\nrows_now\n3\n")));
  const auto& told = events().wait_for("the failure", [](const LoggedEvent& event) {
    return event.kind == "run.step" && event.fields.value("detail", "").find("hook 1 on dst failed") == 0;
  });
  EXPECT_EQ(told.fields["step"], "hooks");
}

TEST_F(FlowHook, a_cancel_ends_the_one_that_runs_and_leaves_out_the_rest_but_the_merge_stays) {
  const auto script = runner("if grep -q slow \"${arguments[@]: -3:1}\"; then echo it runs; sleep 1000; else real; fi");
  start_worker({.jrunner = script});
  apply("modules:\n" +
        orders_module(
            "full",
            {"hooks:", "  - {run_order: 1, connection: dst, sql: SELECT 'slow', run_on: success}",
             "  - {run_order: 2, connection: dst, sql: \"INSERT INTO trace VALUES ('next')\", run_on: success}",
             "  - {run_order: 3, connection: dst, sql: \"INSERT INTO trace VALUES ('always')\", run_on: always}"}));
  const auto id = submit("orders");
  wait_for_line(id, "it runs");
  cancel(id);
  const auto ended = wait(id);
  EXPECT_THAT(ended, Ended("cancelled"));
  EXPECT_EQ(ended["row_count"], 3);
  EXPECT_THAT(ended["error"].get<std::string>(), HasSubstr("the data was merged"));
  EXPECT_THAT(ended["hook_log"].get<std::string>(),
              AllOf(HasSubstr("hook 1 on dst: failed: cancelled"), Not(HasSubstr("hook 2"))));
  EXPECT_EQ(dst_->rows("SELECT count(*) FROM orders"), "3");
  EXPECT_EQ(trace(), "always");
  EXPECT_EQ(dst_->staging_tables(), "");
}

TEST_F(FlowHook, ends_with_the_runs_time_and_the_ones_after_it_still_run) {
  const auto script = runner("if grep -q slow \"${arguments[@]: -3:1}\"; then exec sleep 1000; else real; fi");
  start_worker({.jrunner = script});
  apply(
      "modules:\n" +
      orders_module(
          "full", {"timeout_s: 3", "hooks:", "  - {run_order: 1, connection: dst, sql: SELECT 'slow', run_on: success}",
                   "  - {run_order: 2, connection: dst, sql: \"INSERT INTO trace VALUES ('next')\", run_on: always}"}));
  const auto ended = run("orders");
  EXPECT_THAT(ended, Ended("success"));
  EXPECT_EQ(ended["hook_log"], "hook 1 on dst: failed: timed out after 3 s (timeout_s)\nhook 2 on dst: ok\n");
  EXPECT_EQ(trace(), "next");
}

}  // namespace
}  // namespace pipekit::test
