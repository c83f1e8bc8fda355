// A merge call whose answer was lost: the server is still executing it, or has executed it, or never will. The run
// reports what the destination says, and nothing is written twice.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "tests/fault/scenario.h"

namespace pipekit::test {
namespace {

constexpr int kKilled = 128 + 9;
constexpr int64_t kAdvisoryLock = 77;

ModuleOptions append(int retries) {
  ModuleOptions options;
  options.retries = retries;
  return options;
}

// PostgreSQL, where a statement continues after its client has died. The test's own session blocks it.
class MergeInFlight : public ::testing::Test {
 protected:
  Scenario& begin(int retries, int64_t claim_limit_s = 60) {
    scenario_.system().client().ask("settings.set", {{"key", "claim_limit_s"}, {"value", claim_limit_s}});
    scenario_.add_module("orders", append(retries));
    before_ = scenario_.rows("orders");
    return scenario_;
  }

  // The merge waits in its INSERT; after this transaction ends it continues, although its client is gone.
  void block_insert() { blocker_.query("BEGIN; LOCK TABLE orders IN SHARE MODE"); }
  // The merge waits inside its COMMIT, which no longer needs a client.
  void block_commit() {
    blocker_.query(
        fmt::format("CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN PERFORM pg_advisory_xact_lock_shared({}); RETURN NULL; END'",
                    kAdvisoryLock));
    blocker_.query(
        "CREATE CONSTRAINT TRIGGER hold_up AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE"
        " FUNCTION hold_up()");
    blocker_.query(fmt::format("BEGIN; SELECT pg_advisory_xact_lock({})", kAdvisoryLock));
  }
  void release() { blocker_.query("ROLLBACK"); }

  std::string session_of(int64_t run, int64_t epoch) {
    const auto status = scenario_.system().client().ask("status");
    return fmt::format("pipekit {} {} {}", status.at("broker").at("store_id").get<std::string>(), run, epoch);
  }
  void wait_blocked(int64_t run, int64_t epoch) { watcher_.wait_for_lock_waiter(session_of(run, epoch)); }
  int64_t sessions_of(int64_t run, int64_t epoch) {
    return std::stoll(watcher_.value(
        fmt::format("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{}'", session_of(run, epoch))));
  }
  int64_t submit_and_wait_blocked() {
    const auto run = scenario_.submit("orders");
    wait_blocked(run, 1);
    return run;
  }

  Scenario scenario_{Engine::postgresql};
  PostgresSession blocker_{PostgresCluster::shared().conninfo(scenario_.database())};
  PostgresSession watcher_{PostgresCluster::shared().conninfo(scenario_.database())};
  Rows before_;
};

TEST_F(MergeInFlight, TheNextAttemptWaitsForItsEndAndMergesWhenItWasNotCommitted) {
  auto& scenario = begin(1);
  scenario.start_worker();
  block_insert();
  const auto run = submit_and_wait_blocked();
  scenario.system().kill_worker("w1");
  scenario.start_worker();
  wait_blocked(run, 2);
  release();
  const auto shown = scenario.expect_truthful_end(run, "orders", before_);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  scenario.expect_runs_again("orders");
  scenario.expect_sound_log();
}

TEST_F(MergeInFlight, TheNextAttemptAdoptsWhatTheServerCommittedAfterItsClientWasKilled) {
  auto& scenario = begin(1);
  scenario.start_worker();
  block_commit();
  const auto run = submit_and_wait_blocked();
  scenario.system().kill_worker("w1");
  scenario.start_worker();
  wait_blocked(run, 2);
  release();
  const auto shown = scenario.expect_truthful_end(run, "orders", before_);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_EQ(shown.at("row_count"), 39);
  scenario.system().events().wait_for_step(run, "adopt");
  scenario.expect_runs_again("orders");
}

TEST_F(MergeInFlight, WithNoRetriesLeftAQuestionSettlesTheRun) {
  auto& scenario = begin(0);
  scenario.start_worker();
  block_commit();
  const auto run = submit_and_wait_blocked();
  scenario.system().kill_worker("w1");
  scenario.start_worker();
  wait_blocked(run, 2);
  release();
  const auto shown = scenario.expect_truthful_end(run, "orders", before_);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_EQ(shown.at("attempt"), 1);
}

TEST_F(MergeInFlight, BeyondTheClaimLimitItsSessionIsEnded) {
  auto& scenario = begin(1, 1);
  scenario.start_worker();
  block_insert();
  const auto run = submit_and_wait_blocked();
  scenario.system().kill_worker("w1");
  scenario.start_worker();
  auto& events = scenario.system().events();
  const auto retried = events.wait_for_kind("run.queued", run, events.wait_for_kind("run.assigned", run).seq);
  events.wait_for_step(run, "merge", retried.seq);
  EXPECT_EQ(sessions_of(run, 1), 0);
  release();
  const auto shown = scenario.expect_truthful_end(run, "orders", before_);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
}

TEST_F(MergeInFlight, WhatCannotBeEndedIsNamedBeyondTheClaimLimit) {
  auto& scenario = begin(0, 1);
  scenario.start_worker();
  scenario.expect_runs_again("orders");  // creates the fence
  blocker_.query("BEGIN; UPDATE pipekit_staging.pipekit_fence SET epoch = epoch");
  const auto before = scenario.rows("orders");
  const auto run = scenario.submit("orders");
  const auto shown = scenario.expect_truthful_end(run, "orders", before);
  release();
  EXPECT_EQ(shown.at("status"), "error");
  EXPECT_THAT(shown.at("error").get<std::string>(), ::testing::HasSubstr("orders"));
  EXPECT_EQ(scenario.system().events().of_run(run, "run.finished").at(0).fields.at("error_code"), "claim_timeout");
  scenario.expect_runs_again("orders");
}

TEST_F(MergeInFlight, ACancelThatEndsItIsCancelled) {
  auto& scenario = begin(2);
  scenario.start_worker();
  block_insert();
  const auto run = submit_and_wait_blocked();
  scenario.system().client().ask("cancel", {{"run_id", run}});
  const auto shown = scenario.expect_truthful_end(run, "orders", before_);
  release();
  EXPECT_EQ(shown.at("status"), "cancelled") << shown.dump();
  scenario.expect_runs_again("orders");
}

TEST_F(MergeInFlight, ACancelThatComesTooLateIsASuccess) {
  auto& scenario = begin(2);
  scenario.start_worker();
  block_commit();
  const auto run = submit_and_wait_blocked();
  for (const auto pid : scenario.runner_pids()) ::kill(pid, SIGSTOP);  // it cannot ask the server to stop
  scenario.system().client().ask("cancel", {{"run_id", run}});
  scenario.system().events().wait_for_step(run, "close");
  release();
  const auto shown = scenario.expect_truthful_end(run, "orders", before_);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
}

TEST_F(MergeInFlight, ARunThatIsCancelledWhileItWaitsForItsRetryIsAskedAbout) {
  auto& scenario = begin(2);
  scenario.start_worker();
  block_commit();
  const auto run = submit_and_wait_blocked();
  const auto assigned = scenario.system().events().wait_for_kind("run.assigned", run);
  scenario.system().kill_worker("w1");
  scenario.system().events().wait_for_kind("run.queued", run, assigned.seq);  // its lease has ended
  scenario.system().client().ask("cancel", {{"run_id", run}});
  release();
  scenario.start_worker();
  const auto shown = scenario.expect_truthful_end(run, "orders", before_);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();  // it was committed
  scenario.expect_runs_again("orders");
}

class OutcomeUnknown : public ::testing::Test {
 protected:
  // A worker that dies at this point, and its run.
  int64_t lose(const std::string& point, const std::string& jrunner = "") {
    auto options = dying_at(point);
    options.jrunner = jrunner;
    scenario_.start_worker("w1", options);
    const auto run = scenario_.submit("orders");
    EXPECT_EQ(scenario_.system().worker_end("w1"), kKilled);
    return run;
  }
  static WorkerOptions dying_at(const std::string& point) {
    WorkerOptions options;
    options.failpoint = point + "=kill";
    return options;
  }
  std::string error_code(int64_t run) {
    return scenario_.system().events().of_run(run, "run.finished").at(0).fields.value("error_code", "");
  }

  BrokerOptions broker_{.lease_s = 0.5};
  Scenario scenario_{Engine::sqlite, broker_};
};

TEST_F(OutcomeUnknown, AMergeThatWasCommittedIsASuccessWithoutRetries) {
  scenario_.add_module("orders", append(0));
  const auto before = scenario_.rows("orders");
  const auto run = lose("worker.merge.after");
  scenario_.start_worker();
  const auto shown = scenario_.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
}

TEST_F(OutcomeUnknown, AMergeThatWasNotCommittedIsAnErrorWithoutRetries) {
  scenario_.add_module("orders", append(0));
  const auto before = scenario_.rows("orders");
  const auto run = lose("worker.merge.before");
  scenario_.start_worker();
  const auto shown = scenario_.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "error") << shown.dump();
  EXPECT_EQ(error_code(run), "worker_lost");
}

TEST_F(OutcomeUnknown, WhenNobodyCanAskTheRunSaysSo) {
  scenario_.add_module("orders", append(0));
  const auto before = scenario_.rows("orders");
  const auto run = lose("worker.merge.after");
  scenario_.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(error_code(run), "outcome_unknown");
  scenario_.start_worker();
  scenario_.expect_runs_again("orders");
}

TEST_F(OutcomeUnknown, WithoutAFenceAnAppendIsNeverRetried) {
  scenario_.unfence();
  scenario_.add_module("orders", append(2));
  const auto before = scenario_.rows("orders");
  const auto run = lose("worker.merge.after");
  scenario_.start_worker();
  const auto shown = scenario_.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(error_code(run), "outcome_unknown");
  EXPECT_EQ(shown.at("attempt"), 1);
  scenario_.expect_runs_again("orders");
}

// A second attempt that never came to ask does not close what the first one left open.
TEST_F(OutcomeUnknown, ALaterAttemptThatIsLostBeforeItsClaimDoesNotSettleIt) {
  scenario_.add_module("orders", append(1));
  const auto before = scenario_.rows("orders");
  const auto run = lose("worker.merge.after");
  scenario_.start_worker("w1", dying_at("worker.claim.before"));
  ASSERT_EQ(scenario_.system().worker_end("w1"), kKilled);
  scenario_.start_worker();
  const auto shown = scenario_.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
}

TEST_F(OutcomeUnknown, ALaterAttemptWhoseClaimFailsDoesNotSettleIt) {
  scenario_.add_module("orders", append(1));
  const auto before = scenario_.rows("orders");
  const auto run = lose("worker.merge.after");
  const auto refusing = scenario_.system().write_script(
      "refusing", fmt::format("#!/bin/sh\n[ \"$1\" = --version ] && exec {} --version\n"
                              "[ -e {} ] && exec {} \"$@\"\necho 'connection refused' >&2\nexit 1\n",
                              program_path("pipekit-jrunner"), scenario_.system().file("reachable"),
                              program_path("pipekit-jrunner")));
  WorkerOptions options;
  options.jrunner = refusing;
  scenario_.start_worker("w1", options);
  scenario_.system().events().wait_for("the question after the failed claim", [&](const LoggedEvent& event) {
    return event.kind == "run.queued" && event.fields.contains("reconcile");
  });
  scenario_.system().dir().write("reachable", "");
  const auto shown = scenario_.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
}

TEST_F(OutcomeUnknown, WithoutAFenceAFullLoadThatFailsInItsRetrySaysThatItMayHaveBeenDone) {
  scenario_.unfence();
  ModuleOptions options = append(1);
  options.strategy = "full";
  scenario_.add_module("orders", options);
  const auto before = scenario_.rows("orders");
  const auto run = lose("worker.merge.after");
  scenario_.source().execute("ALTER TABLE items RENAME TO gone");
  scenario_.start_worker();
  scenario_.system().finished(run);
  scenario_.source().execute("ALTER TABLE gone RENAME TO items");
  scenario_.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(error_code(run), "outcome_unknown");
}

}  // namespace
}  // namespace pipekit::test
