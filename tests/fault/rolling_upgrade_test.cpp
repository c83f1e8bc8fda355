// Programs with two versions of the protocol together, as in a rolling upgrade: brokers first or workers first, with a
// run in progress. The older programs are this source with an older spoken_versions(), or those in the directory that
// PIPEKIT_OLDER_BIN names: a build of an earlier commit.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/fault/scenario.h"

namespace pipekit::test {
namespace {

using testing::HasSubstr;

std::string older(const std::string& program) {
  const auto* elsewhere = std::getenv("PIPEKIT_OLDER_BIN");
  return elsewhere != nullptr ? std::string(elsewhere) + "/" + program : program_path(program + "-older");
}

BrokerOptions broker_of(const std::string& program) {
  BrokerOptions options;
  options.lease_s = 5;
  options.program = program;
  return options;
}

class RollingUpgrade : public ::testing::Test {
 protected:
  explicit RollingUpgrade(const std::string& first_broker = older("pipekit-broker"))
      : scenario_(Engine::sqlite, broker_of(first_broker)), gate_(scenario_.system(), "load") {
    scenario_.add_module("orders");
    scenario_.add_module("customers");
  }

  void start_worker(const std::string& name, const std::string& program, WorkerOptions options = {}) {
    options.program = program;
    scenario_.start_worker(name, options);
  }
  // It has stopped at its load when this returns.
  int64_t begin_run(const std::string& module) {
    before_ = scenario_.rows(module);
    const auto run = scenario_.submit(module);
    gate_.wait_reached();
    return run;
  }
  void expect_success(int64_t run, const std::string& module) {
    EXPECT_EQ(scenario_.expect_truthful_end(run, module, before_).at("status"), "success");
    EXPECT_EQ(system().events().of_run(run, "run.assigned").size(), 1U) << "not disturbed";
  }
  void replace_broker() {
    system().broker().signal(SIGTERM);
    EXPECT_EQ(system().broker_end(), 0);
    system().start_broker(broker_of(program_path("pipekit-broker")));
  }
  int64_t protocol_of(const std::string& worker) {
    for (const auto& row : system().client().ask("workers.list", Json::object())) {
      if (row.at("name") == worker) return row.value("protocol", 0);
    }
    return -1;
  }
  LocalSystem& system() { return scenario_.system(); }

  Scenario scenario_;
  GatedRunner gate_;
  Rows before_;
};

TEST_F(RollingUpgrade, BrokerFirstDisturbsNoRun) {
  start_worker("w1", older("pipekit-worker"), gate_.options());
  const auto run = begin_run("orders");
  replace_broker();
  gate_.open();
  expect_success(run, "orders");
  EXPECT_EQ(protocol_of("w1"), 1);
  system().worker("w1").signal(SIGTERM);
  EXPECT_EQ(system().worker_end("w1"), 0);
  start_worker("w1", program_path("pipekit-worker"));
  EXPECT_EQ(protocol_of("w1"), spoken_versions().newest);
  scenario_.expect_runs_again("orders");
  scenario_.expect_sound_log();
}

TEST_F(RollingUpgrade, WorkersFirstDisturbsNoRun) {
  start_worker("w1", older("pipekit-worker"), gate_.options());
  const auto run = begin_run("orders");
  start_worker("w2", program_path("pipekit-worker"));
  system().worker("w1").signal(SIGTERM);  // drains: its run continues
  scenario_.expect_runs_again("customers");
  gate_.open();
  expect_success(run, "orders");
  EXPECT_EQ(system().worker_end("w1"), 0);
  scenario_.expect_runs_again("orders");
  scenario_.expect_sound_log();
}

TEST_F(RollingUpgrade, OfTheBrokerUnderNewerWorkersDisturbsNoRun) {
  start_worker("w1", program_path("pipekit-worker"), gate_.options());
  const auto run = begin_run("orders");
  replace_broker();
  gate_.open();
  expect_success(run, "orders");
  EXPECT_EQ(protocol_of("w1"), spoken_versions().newest);
  scenario_.expect_runs_again("orders");
  scenario_.expect_sound_log();
}

}  // namespace
}  // namespace pipekit::test
