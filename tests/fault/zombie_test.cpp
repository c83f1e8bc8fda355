// Workers that are suspended past their lease and come back, and workers that leave or are restarted: another attempt
// is running by then, and the old one does no harm.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "shared/poller.h"
#include "tests/fault/scenario.h"

namespace pipekit::test {
namespace {

ModuleOptions append(int retries) {
  ModuleOptions options;
  options.retries = retries;
  return options;
}

class StoppedWorker : public ::testing::TestWithParam<Engine> {
 protected:
  std::vector<std::string> workers_of(int64_t run) {
    std::vector<std::string> workers;
    for (const auto& event : scenario_.system().events().of_run(run, "run.assigned")) workers.push_back(event.worker);
    return workers;
  }

  Scenario scenario_{GetParam(), BrokerOptions{.lease_s = 0.6}};
};

TEST_P(StoppedWorker, InMidTransferIsReplacedAndEndsItsOwnWhenItGoesOn) {
  scenario_.add_module("orders", append(1));
  GatedRunner runner(scenario_.system(), "load");
  auto& stopped = scenario_.start_worker("w1", runner.options());
  const auto before = scenario_.rows("orders");
  const auto run = scenario_.submit("orders");
  const auto pid = runner.wait_reached();
  stopped.signal(SIGSTOP);
  scenario_.start_worker("w2");
  const auto shown = scenario_.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_EQ(workers_of(run), (std::vector<std::string>{"w1", "w2"}));
  const auto& events = scenario_.system().events();
  stopped.signal(SIGCONT);
  runner.wait_gone(pid);
  // It works normally again.
  scenario_.system().events().wait_for(
      "w1 joining again",
      [](const LoggedEvent& event) { return event.kind == "worker.joined" && event.worker == "w1"; },
      events.of_run(run, "run.finished").at(0).seq);
  scenario_.system().kill_worker("w2");
  scenario_.expect_runs_again("orders");
  scenario_.expect_sound_log();
}

TEST_P(StoppedWorker, AMergeThatBeginsAfterAnotherAttemptHasMergedFails) {
  scenario_.add_module("orders", append(3));  // the other one may also be late on a busy machine
  GatedRunner runner(scenario_.system(), "merge");
  auto& stopped = scenario_.start_worker("w1", runner.options());
  const auto before = scenario_.rows("orders");
  const auto run = scenario_.submit("orders");
  const auto pid = runner.wait_reached();
  stopped.signal(SIGSTOP);
  scenario_.start_worker("w2");
  EXPECT_EQ(scenario_.expect_truthful_end(run, "orders", before).at("status"), "success");
  runner.open();  // the worker that could end it is suspended
  runner.wait_gone(pid);
  EXPECT_EQ(scenario_.rows("orders"), scenario_.after("orders", before));
  stopped.signal(SIGCONT);
  scenario_.expect_runs_again("orders");
  scenario_.expect_sound_log();
}

TEST_P(StoppedWorker, AMergeThatBeginsWhileAnotherAttemptTransfersFails) {
  scenario_.add_module("orders", append(1));
  GatedRunner first(scenario_.system(), "merge");
  GatedRunner second(scenario_.system(), "load");
  auto& stopped = scenario_.start_worker("w1", first.options());
  const auto before = scenario_.rows("orders");
  const auto run = scenario_.submit("orders");
  const auto pid = first.wait_reached();
  stopped.signal(SIGSTOP);
  scenario_.start_worker("w2", second.options());
  second.wait_reached();
  first.open();
  first.wait_gone(pid);
  EXPECT_EQ(scenario_.rows("orders"), before);
  second.open();
  EXPECT_EQ(scenario_.expect_truthful_end(run, "orders", before).at("status"), "success");
}

// Its late final fact is stored with its attempt for the next one to adopt, but that one does not get that far.
TEST_P(StoppedWorker, AMergeThatIsToldLateIsNotForgottenWithTheAttemptThatShouldHaveAdoptedIt) {
  scenario_.add_module("orders", append(1));
  scenario_.add_module("others", append(1));
  WorkerOptions options;
  options.failpoint = "worker.merge.after=stop";
  auto& stopped = scenario_.start_worker("w1", options);
  const auto before = scenario_.rows("orders");
  const auto run = scenario_.submit("orders");
  stopped.wait_until_stopped();
  GatedRunner runner(scenario_.system(), "claim");
  auto gated = runner.options();
  gated.slots = 1;
  scenario_.start_worker("w2", gated);
  runner.wait_reached();
  stopped.signal(SIGCONT);
  scenario_.expect_runs_again("others");  // on w1, which sends its late final fact first
  scenario_.system().kill_worker("w2");
  const auto shown = scenario_.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
}

INSTANTIATE_TEST_SUITE_P(On, StoppedWorker, ::testing::Values(Engine::sqlite, Engine::postgresql),
                         [](const auto& each) { return each.param == Engine::sqlite ? "sqlite" : "postgresql"; });

TEST(RestartedWorker, WithItsStateDirectoryEndsItsOldLeasesAtOnce) {
  Scenario scenario(Engine::sqlite, {.lease_s = 3600});
  scenario.add_module("orders", append(1));
  GatedRunner runner(scenario.system(), "load");
  scenario.start_worker("w1", runner.options());
  const auto before = scenario.rows("orders");
  const auto run = scenario.submit("orders");
  runner.wait_reached();
  scenario.system().kill_worker("w1");
  scenario.start_worker("w1");
  const auto shown = scenario.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_TRUE(scenario.runner_pids().empty());
}

// A peer of the broker's worker socket that sends what the test says.
class FakeWorker {
 public:
  FakeWorker(const LocalSystem& system, std::string name)
      : name_(std::move(name)), socket_(context_, "ipc://" + system.data_dir() + "/worker.sock", true) {}

  void say(const WorkerToBroker& message) { socket_.send(encode(message)); }
  void hello() { say(Hello{name_, "incarnation-" + name_, "", PIPEKIT_VERSION, "host", 1, false, {}, {}, {}}); }
  // The next message of this type.
  template <class T>
  T hear() {
    Poller poller;
    const auto slot = poller.add(socket_.socket());
    const auto deadline = clock_.now() + Millis{20'000};
    while (clock_.now() < deadline) {
      while (const auto received = socket_.try_receive()) {
        const auto message = decode_broker_to_worker(received->frames.head, received->frames.body);
        if (const auto* wanted = message ? std::get_if<T>(&*message) : nullptr) return *wanted;
      }
      poller.wait_until(deadline, clock_);
      static_cast<void>(slot);
    }
    throw std::runtime_error("the broker did not say it");
  }

 private:
  std::string name_;
  SystemClock clock_;
  zmq::context_t context_;
  DealerSocket socket_;
};

TEST(RestartedWorker, WithAnotherStateDirectoryWaitsUntilTheLeaseOfItsNameEnds) {
  Scenario scenario(Engine::sqlite, {.lease_s = 0.6});
  scenario.add_module("orders", append(1));
  GatedRunner runner(scenario.system(), "load");
  scenario.start_worker("w1", runner.options());
  const auto before = scenario.rows("orders");
  const auto run = scenario.submit("orders");
  runner.wait_reached();
  FakeWorker other(scenario.system(), "w1");
  other.hello();
  EXPECT_EQ(other.hear<HelloRefused>().error.code, "name_in_use");
  scenario.system().kill_worker("w1");
  scenario.system().events().wait_for("worker.lost",
                                      [](const LoggedEvent& event) { return event.kind == "worker.lost"; });
  other.hello();
  other.hear<Welcome>();
  other.say(Goodbye{});
  scenario.start_worker("w2");
  EXPECT_EQ(scenario.expect_truthful_end(run, "orders", before).at("status"), "success");
}

TEST(LeavingWorker, ARunThatWasOnItsWayToItIsGivenToAnother) {
  Scenario scenario(Engine::sqlite, {.lease_s = 3600});
  scenario.add_module("orders", append(0));
  FakeWorker leaving(scenario.system(), "w1");
  leaving.hello();
  leaving.hear<Welcome>();
  leaving.say(Heartbeat{1, false, {}, {}});
  leaving.hear<HeartbeatAck>();
  const auto before = scenario.rows("orders");
  const auto run = scenario.submit("orders");
  leaving.hear<Assignment>();
  leaving.say(Goodbye{});
  scenario.start_worker("w2");
  const auto shown = scenario.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_EQ(shown.at("attempt"), 1);
}

// The staging table of a lost attempt is remembered until it has been dropped.
TEST(LeftStaging, IsDroppedByTheRunAfterOneThatCouldNotClaim) {
  Scenario scenario(Engine::sqlite);
  scenario.add_module("orders", append(0));
  WorkerOptions dying;
  dying.failpoint = "worker.transfer.after=kill";
  scenario.start_worker("w1", dying);
  const auto before = scenario.rows("orders");
  const auto run = scenario.submit("orders");
  scenario.system().worker_end("w1");
  const GatedRunner refusing(scenario.system(), "claim", "jrunner.script.statement=exit");
  scenario.start_worker("w1", refusing.options());
  scenario.expect_truthful_end(run, "orders", before);
  const auto refused = scenario.submit("orders");
  scenario.expect_truthful_end(refused, "orders", before);
  scenario.system().finished(scenario.system().client().run("orders", {{"dry_run", true}}));
  EXPECT_EQ(scenario.staging_tables("orders").size(), 1U);
  scenario.expect_runs_again("orders");
}

TEST(FaultOfAnAttempt, AfterItsMergeLeavesTheRunASuccess) {
  Scenario scenario(Engine::sqlite);
  scenario.add_module("orders", append(0));
  WorkerOptions options;
  options.failpoint = "worker.hook.before=fail";
  scenario.start_worker("w1", options);
  const auto before = scenario.rows("orders");
  const auto shown = scenario.expect_truthful_end(scenario.submit("orders"), "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_THAT(shown.at("hook_log").get<std::string>(), ::testing::HasSubstr("after the merge"));
  scenario.expect_runs_again("orders");
}

}  // namespace
}  // namespace pipekit::test
