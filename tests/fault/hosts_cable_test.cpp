// Cables that are cut in the middle of a run, and healed: within the lease only time is lost; after it another attempt
// does the work, and the destination has it once. Three at once: cut in both directions, and in each of them.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/fault/hosts.h"

namespace pipekit::test {
namespace {

struct CutRun {
  std::string module;
  WorkerHost* host;
  std::string key;
  void (VirtualCable::*cut)();
  std::unique_ptr<GatedRunner> runner{};
  RunningProgram* worker = nullptr;
  Rows before{};
  int64_t run = 0;
  pid_t pid = 0;
};

class CutCable : public Hosts {
 protected:
  // A run of each module waits at the runner's gate, each on a different worker.
  void begin(double lease_s, const std::string& gate) {
    start(lease_s);
    runs_.push_back({"cut_in_both", &b(), "b", &VirtualCable::cut});
    runs_.push_back({"cut_to_worker", &c(), "c", &VirtualCable::cut_to_right});
    runs_.push_back({"cut_to_broker", &d(), "d", &VirtualCable::cut_to_left});
    for (auto& each : runs_) {
      ModuleOptions options;
      options.retries = 3;
      scenario().add_module(each.module, options);
      each.runner = std::make_unique<GatedRunner>(system(), gate);
      auto worker = each.runner->options();
      worker.slots = 1;
      each.worker = &system().start_worker("on-" + each.key, on(*each.host, each.key, worker));
      each.before = scenario().rows(each.module);
      each.run = scenario().submit(each.module);
      each.pid = each.runner->wait_reached();
    }
  }
  void cut() {
    for (const auto& each : runs_) (each.host->cable().*each.cut)();
  }
  void heal() {
    for (const auto& each : runs_) each.host->cable().heal();
  }
  void open_gates() {
    for (const auto& each : runs_) each.runner->open();
  }
  void wait_until_runners_are_gone() {
    for (const auto& each : runs_) each.runner->wait_gone(each.pid);
  }
  void wait_until_all_are_lost() {
    for (const auto& each : runs_) wait_for_worker("worker.lost", "on-" + each.key);
  }
  void expect_success() {
    for (const auto& each : runs_) {
      const auto shown = scenario().expect_truthful_end(each.run, each.module, each.before);
      EXPECT_EQ(shown.at("status"), "success") << shown.dump();
    }
    scenario().expect_sound_log();
  }

  std::vector<CutRun> runs_;
};

// The workers send their messages again.
TEST_F(CutCable, HealedWithinTheLeaseDisturbsNoRun) {
  begin(9, "load");  // room for three workers that notice at different times, and for TCP to try once more
  cut();
  open_gates();
  for (const auto& each : runs_) each.worker->wait_for_err("no word from the broker");
  heal();
  expect_success();
  for (const auto& each : runs_) EXPECT_EQ(workers_of(each.run).size(), 1U) << each.module;
}

TEST_F(CutCable, HealedAfterTheLeaseFindsTheRunGivenUpAndTriesAgain) {
  begin(1, "load");
  cut();
  wait_until_runners_are_gone();  // stopped by their workers, which got no answer
  wait_until_all_are_lost();
  heal();
  expect_success();
  for (const auto& each : runs_) {
    EXPECT_GE(workers_of(each.run).size(), 2U) << each.module;
    scenario().expect_runs_again(each.module);
  }
}

// The destination has it, and nobody can report that to the broker until the lease has ended.
TEST_F(CutCable, AMergeThatWasCommittedBehindItIsNotRepeated) {
  begin(2, "merge");
  cut();
  open_gates();
  wait_until_runners_are_gone();
  for (const auto& each : runs_) {
    EXPECT_EQ(scenario().rows(each.module), scenario().after(each.module, each.before)) << each.module;
  }
  wait_until_all_are_lost();
  heal();
  expect_success();
  for (const auto& each : runs_) scenario().expect_runs_again(each.module);
}

}  // namespace
}  // namespace pipekit::test
