// Cables cut in either direction in the middle of a run, and healed: within the lease nothing is lost but time, after
// it another attempt does the work, and the destination has it once.
#include <gmock/gmock.h>

#include "tests/fault/hosts.h"

namespace pipekit::test {
namespace {

using ::testing::Each;

enum class Direction { both, to_worker, to_broker };

class CutCable : public Hosts, public ::testing::WithParamInterface<Direction> {
 protected:
  void cut() {
    switch (GetParam()) {
      case Direction::both:
        return b().cable().cut();
      case Direction::to_worker:
        return b().cable().cut_to_right();
      case Direction::to_broker:
        return b().cable().cut_to_left();
    }
  }
};

// What the worker says meanwhile is said again.
TEST_P(CutCable, HealedWithinTheLeaseDisturbsNoRun) {
  start(6);
  GatedRunner runner(system(), "load");
  auto& worker = system().start_worker("w1", on(b(), "b", runner.options()));
  const auto before = scenario().rows("orders");
  const auto run = scenario().submit("orders");
  runner.wait_reached();
  cut();
  runner.open();
  worker.wait_for_err("no word from the broker");
  b().cable().heal();
  const auto shown = scenario().expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_EQ(workers_of(run).size(), 1U);
  scenario().expect_sound_log();
}

TEST_P(CutCable, HealedAfterTheLeaseFindsTheRunGivenUpAndTriesAgain) {
  start(1);
  GatedRunner runner(system(), "load");
  system().start_worker("w1", on(b(), "b", runner.options()));
  const auto before = scenario().rows("orders");
  const auto run = scenario().submit("orders");
  const auto pid = runner.wait_reached();
  cut();
  runner.wait_gone(pid);  // ended by the worker, which has had no answer
  const auto lost = wait_for_worker("worker.lost", "w1");
  b().cable().heal();
  wait_for_worker("worker.joined", "w1", lost);
  const auto shown = scenario().expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_GE(workers_of(run).size(), 2U);
  scenario().expect_runs_again("orders");
  scenario().expect_sound_log();
}

// The destination has it, and nobody can tell the broker for as long as the lease lasts.
TEST_P(CutCable, AMergeThatWasCommittedBehindItIsNotRepeated) {
  start(1);
  GatedRunner runner(system(), "merge");
  system().start_worker("w1", on(b(), "b", runner.options()));
  const auto before = scenario().rows("orders");
  const auto run = scenario().submit("orders");
  const auto pid = runner.wait_reached();
  cut();
  runner.open();
  runner.wait_gone(pid);
  wait_for_worker("worker.lost", "w1");
  auto& second = system().start_worker("w2", on(c(), "c"));
  const auto shown = scenario().expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump() << second.err();
  EXPECT_EQ(scenario().rows("orders"), scenario().after("orders", before));
  b().cable().heal();
  scenario().expect_runs_again("orders");
  scenario().expect_sound_log();
}

INSTANTIATE_TEST_SUITE_P(, CutCable, ::testing::Values(Direction::both, Direction::to_worker, Direction::to_broker),
                         [](const auto& each) {
                           return each.param == Direction::both        ? "InBothDirections"
                                  : each.param == Direction::to_worker ? "TowardsTheWorker"
                                                                       : "TowardsTheBroker";
                         });

}  // namespace
}  // namespace pipekit::test
