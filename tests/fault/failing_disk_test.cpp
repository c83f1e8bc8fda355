// Disk errors under the broker's store: nothing is promised that was not committed, the broker exits with the reason,
// and the next one continues from the committed state.
#include "tests/support/failing_disk.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/fault/scenario.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Failure {
  const char* name;
  void (FailingDisk::*begin)(int) const;
  int error;
  const char* says;
};

void PrintTo(const Failure& failure, std::ostream* out) { *out << failure.name; }

class StoreOnFailingDisk : public ::testing::TestWithParam<Failure> {
 protected:
  // The lease is long enough for one broker to end and another to start.
  StoreOnFailingDisk() : scenario_(Engine::sqlite, {.lease_s = 6, .env = disk_.env()}) {
    ModuleOptions options;
    options.hook = false;
    scenario_.add_module("orders", options);
  }

  void begin_to_fail() const { (disk_.*GetParam().begin)(GetParam().error); }
  void expect_end_with_reason() {
    const auto ended = scenario_.system().broker().wait();
    EXPECT_EQ(ended.exit_code, 1) << ended.err;
    EXPECT_THAT(ended.err, AllOf(HasSubstr("error: "), HasSubstr(GetParam().says), HasSubstr("hint: ")));
  }
  void expect_once(int64_t run, const Rows& before) {
    const auto shown = scenario_.expect_truthful_end(run, "orders", before);
    EXPECT_EQ(shown.at("status"), "success") << shown.dump();
    EXPECT_EQ(scenario_.system().events().of_run(run, "run.assigned").size(), 1U);
    scenario_.expect_sound_log();
  }

  FailingDisk disk_;
  Scenario scenario_;
};

TEST_P(StoreOnFailingDisk, ACommandIsNotAnsweredAndIsExecutedOnceWhenItIsSentAgain) {
  scenario_.start_worker();
  auto& client = scenario_.system().client();
  const auto before = scenario_.rows("orders");
  begin_to_fail();
  const auto number = client.next_number();
  client.send(number, "run", {{"module", "orders"}});
  expect_end_with_reason();
  EXPECT_FALSE(client.hears(number, Millis{100}));
  EXPECT_EQ(scenario_.rows("orders"), before) << "nobody has heard of the run";
  disk_.work();
  scenario_.system().start_broker();
  client.send(number, "run", {{"module", "orders"}});
  expect_once(client.receive(number).body.at("run_id").get<int64_t>(), before);
}

TEST_P(StoreOnFailingDisk, WhatAWorkerTellsIsToldAgainToTheNextBroker) {
  GatedRunner runner(scenario_.system(), "load");
  scenario_.start_worker("w1", runner.options());
  const auto before = scenario_.rows("orders");
  const auto run = scenario_.submit("orders");
  runner.wait_reached();
  scenario_.system().events().catch_up();
  begin_to_fail();
  runner.open();
  expect_end_with_reason();
  disk_.work();
  scenario_.system().start_broker();
  expect_once(run, before);
}

TEST_P(StoreOnFailingDisk, ABrokerThatIsStartedOnItEndsAndTheStoreIsAsBefore) {
  const auto settings = scenario_.system().client().ask("settings.list");
  scenario_.system().kill_broker();
  begin_to_fail();
  ProgramOptions options;
  options.env = disk_.env();
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto ended =
        run_program(program_path("pipekit-broker"), {"--data-dir", scenario_.system().data_dir()}, options);
    EXPECT_EQ(ended.exit_code, 1) << ended.err;
    EXPECT_THAT(ended.err, AllOf(HasSubstr("error: store "), HasSubstr("hint: check the disk")));
  }
  disk_.work();
  scenario_.system().start_broker();
  EXPECT_EQ(scenario_.system().client().ask("settings.list"), settings);
  scenario_.start_worker();
  scenario_.expect_runs_again("orders");
  scenario_.expect_sound_log();
}

INSTANTIATE_TEST_SUITE_P(, StoreOnFailingDisk,
                         ::testing::Values(Failure{"WriteEio", &FailingDisk::fail_writes, EIO, "disk I/O error"},
                                           Failure{"SyncEio", &FailingDisk::fail_syncs, EIO, "disk I/O error"},
                                           Failure{"WriteEnospc", &FailingDisk::fail_writes, ENOSPC, "full"}),
                         [](const auto& each) { return each.param.name; });

}  // namespace
}  // namespace pipekit::test
