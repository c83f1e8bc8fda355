// Hosts that disappear without notice, for ever or for a while, and two hosts that claim to be the same.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>

#include "tests/fault/hosts.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using LostWorkerHost = Hosts;
using LostBrokerHost = Hosts;

constexpr auto kLease = 1.0;

TEST_F(LostWorkerHost, LosesItsRunToAnotherWhenTheLeaseEnds) {
  start(kLease);
  GatedRunner runner(system(), "load");
  auto& lost = system().start_worker("w1", on(b(), "b", runner.options()));
  const auto before = scenario().rows("orders");
  const auto run = scenario().submit("orders");
  runner.wait_reached();
  system().start_worker("w2", on(c(), "c"));
  lose(b(), lost);
  const auto shown = scenario().expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_THAT(workers_of(run), ElementsAre("w1", "w2"));
  scenario().expect_sound_log();
}

TEST_F(LostWorkerHost, WithoutRetriesEndsItsRunWithTheReason) {
  start(kLease, 0);
  GatedRunner runner(system(), "load");
  auto& lost = system().start_worker("w1", on(b(), "b", runner.options()));
  const auto before = scenario().rows("orders");
  const auto run = scenario().submit("orders");
  runner.wait_reached();
  lose(b(), lost);
  const auto shown = scenario().expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "error") << shown.dump();
  EXPECT_EQ(system().events().of_run(run, "run.finished").at(0).fields.at("error_code"), "worker_lost");
  system().start_worker("w2", on(c(), "c"));
  scenario().expect_runs_again("orders");
}

// The broker keeps its old connection for hours, because nothing ends it.
TEST_F(LostWorkerHost, IsTheSameWorkerWhenItIsBack) {
  start(kLease);
  GatedRunner runner(system(), "load");
  auto& lost = system().start_worker("w1", on(b(), "b", runner.options()));
  const auto before = scenario().rows("orders");
  const auto run = scenario().submit("orders");
  runner.wait_reached();
  lose(b(), lost);
  system().worker_end("w1");
  b().cable().heal();
  system().start_worker("w1", on(b(), "b"));
  const auto shown = scenario().expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_THAT(workers_of(run), Each("w1"));
}

TEST_F(LostBrokerHost, ForEverLeavesNothingRunningOnAWorker) {
  start(kLease);
  GatedRunner runner(system(), "load");
  auto& worker = system().start_worker("w1", on(b(), "b", runner.options()));
  const auto before = scenario().rows("orders");
  scenario().submit("orders");
  const auto pid = runner.wait_reached();
  lose_broker_host();
  runner.wait_gone(pid);
  worker.wait_for_err("no word from the broker");
  EXPECT_EQ(scenario().rows("orders"), before);
  worker.signal(SIGTERM);
  worker.wait_for_err("draining");
  worker.signal(SIGTERM);  // it has something to report, and would wait until it can
  EXPECT_EQ(system().worker_end("w1"), 1);
  EXPECT_THAT(scenario().runner_pids(), ElementsAre());
}

TEST_F(LostBrokerHost, BackWithinTheLeaseFindsItsRunsGoingOn) {
  start(6);
  GatedRunner runner(system(), "load");
  system().start_worker("w1", on(b(), "b", runner.options()));
  const auto before = scenario().rows("orders");
  const auto run = scenario().submit("orders");
  runner.wait_reached();
  lose_broker_host();
  recover_broker_host();
  runner.open();
  const auto shown = scenario().expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_EQ(workers_of(run).size(), 1U);
  scenario().expect_sound_log();
}

TEST_F(LostBrokerHost, BackAfterTheLeaseTriesItsRunsAgain) {
  start(kLease);
  GatedRunner runner(system(), "load");
  system().start_worker("w1", on(b(), "b", runner.options()));
  const auto before = scenario().rows("orders");
  const auto run = scenario().submit("orders");
  const auto pid = runner.wait_reached();
  lose_broker_host();
  runner.wait_gone(pid);
  recover_broker_host();
  const auto shown = scenario().expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_EQ(workers_of(run).size(), 2U);
  scenario().expect_runs_again("orders");
  scenario().expect_sound_log();
}

class OneName : public Hosts {
 protected:
  // A run on w1 of host b, which is suspended in the middle.
  void begin(double lease_s) {
    start(lease_s);
    runner_ = std::make_unique<GatedRunner>(system(), "load");
    system().start_worker("w1", on(b(), "b", runner_->options()));
    before_ = scenario().rows("orders");
    run_ = scenario().submit("orders");
    runner_->wait_reached();
  }
  // Another worker that calls itself w1, on host c.
  std::unique_ptr<RunningProgram> another(const std::string& key, const std::string& state_dir) {
    ProgramOptions options;
    options.within = c().net().enter();
    auto args = on(c(), key).args;
    args.insert(args.end(), {"--name", "w1", "--state-dir", state_dir});
    return std::make_unique<RunningProgram>(program_path("pipekit-worker"), args, options);
  }
  void expect_one_attempt() {
    runner_->open();
    const auto shown = scenario().expect_truthful_end(run_, "orders", before_);
    EXPECT_EQ(shown.at("status"), "success") << shown.dump();
    EXPECT_EQ(workers_of(run_).size(), 1U);
  }

  std::unique_ptr<GatedRunner> runner_;
  Rows before_;
  int64_t run_ = 0;
};

TEST_F(OneName, WithAnotherKeyIsRefused) {
  begin(2);
  const auto refused = another("c", system().file("elsewhere"))->wait();
  EXPECT_EQ(refused.exit_code, 6);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("the worker name w1 belongs to another key or local user"), HasSubstr("--name")));
  expect_one_attempt();
}

TEST_F(OneName, WithTheSameKeyWaitsUntilTheOtherIsGone) {
  begin(2);
  auto waiting = another("b", system().file("elsewhere"));
  waiting->wait_for_err("another worker named w1 (on ");
  waiting->wait_for_err("stop that one");
  expect_one_attempt();
  lose(b(), system().worker("w1"));
  const auto lost = wait_for_worker("worker.lost", "w1");
  waiting.reset();
  waiting = another("b", system().file("elsewhere"));  // it would have asked again by itself a few seconds later
  wait_for_worker("worker.joined", "w1", lost);
  scenario().expect_runs_again("orders");
  scenario().expect_sound_log();
}

// A state directory proves that the children of its last worker are dead, but only if it is the same directory.
TEST_F(OneName, WithACopyOfTheStateDirectoryWaitsUntilTheOtherIsGone) {
  begin(2);
  const auto copy = system().file("copy");
  std::filesystem::copy(system().data_dir() + "/workers/w1", copy, std::filesystem::copy_options::recursive);
  const auto waiting = another("b", copy);
  waiting->wait_for_err("another worker named w1 (on ");
  expect_one_attempt();
}

}  // namespace
}  // namespace pipekit::test
