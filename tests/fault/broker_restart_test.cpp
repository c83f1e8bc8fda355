// Brokers that die and come back: no acknowledged command is lost or executed twice, no transfer is disturbed within
// the lease, and the log continues where it was.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/fault/scenario.h"

namespace pipekit::test {
namespace {

constexpr int kKilled = 128 + 9;
constexpr int kPasses = 4;  // the command is in one of these turns

ModuleOptions append(int retries) {
  ModuleOptions options;
  options.retries = retries;
  return options;
}

class LostReply : public ::testing::Test {
 protected:
  // Sends it to a broker that dies in turn number `pass`, which a worker's heartbeats cause, and sends it again to the
  // next broker.
  Json ask_across_kill(const std::string& verb, const Json& args, int pass) {
    auto& system = scenario_.system();
    system.kill_broker();
    BrokerOptions dying;
    dying.failpoint = fmt::format("broker.commit.after=kill@{}", pass);
    system.start_broker(dying);
    const auto number = system.client().next_number();
    system.client().send(number, verb, args);
    EXPECT_EQ(system.broker_end(), kKilled);
    system.start_broker();
    system.client().send(number, verb, args);
    const auto reply = system.client().receive(number);
    EXPECT_FALSE(reply.error) << reply.error->message;
    return reply.body;
  }
  int64_t count(const std::string& kind, int64_t run = 0) {
    scenario_.system().events().catch_up();
    return std::ranges::count_if(scenario_.system().events().seen(),
                                 [&](const auto& event) { return event.kind == kind && event.run == run; });
  }

  Scenario scenario_{Engine::sqlite};
};

TEST_F(LostReply, ARunThatIsSentAgainIsTheSameRun) {
  scenario_.add_module("orders", append(0));
  auto& client = scenario_.system().client();
  const auto number = client.next_number();
  client.send(number, "run", {{"module", "orders"}});
  scenario_.system().events().wait_for_kind("run.queued", 1);
  client.reconnect();
  client.send(number, "run", {{"module", "orders"}});
  EXPECT_EQ(client.receive(number).body.at("run_id"), 1);
  scenario_.start_worker();
  scenario_.system().finished(1);
  client.send(number, "run", {{"module", "orders"}});
  EXPECT_EQ(client.receive(number).body.at("run_id"), 1);
  EXPECT_EQ(count("run.queued", 1), 1);
}

TEST_F(LostReply, ARunThatWasCommittedBeforeTheBrokerDiedIsTheSameRun) {
  scenario_.start_worker();
  for (int pass = 1; pass <= kPasses; ++pass) {
    const auto module = fmt::format("orders{}", pass);
    scenario_.add_module(module, append(0));
    const auto before = scenario_.rows(module);
    EXPECT_EQ(ask_across_kill("run", {{"module", module}}, pass).at("run_id"), pass);
    EXPECT_EQ(scenario_.expect_truthful_end(pass, module, before).at("status"), "success");
    EXPECT_EQ(count("run.queued", pass), 1);
  }
}

TEST_F(LostReply, AnApplyThatWasCommittedBeforeTheBrokerDiedIsAnsweredAsTheFirstTime) {
  scenario_.start_worker();
  for (int pass = 1; pass <= kPasses; ++pass) {
    const Json connection = {{"name", fmt::format("c{}", pass)}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:/x"}};
    const Json document = {{"connections", Json::array({connection})}};
    const auto changes = count("definition.changed");
    const auto body = ask_across_kill("apply", {{"document", document}}, pass);
    EXPECT_EQ(body.at("changes").at(0).at("action"), "add") << body.dump();
    EXPECT_EQ(count("definition.changed"), changes + 1);
  }
}

TEST_F(LostReply, ACancelThatWasCommittedBeforeTheBrokerDiedIsAnsweredAsTheFirstTime) {
  for (int pass = 1; pass <= kPasses; ++pass) {
    const auto module = fmt::format("orders{}", pass);
    scenario_.add_module(module, append(0));
    GatedRunner runner(scenario_.system(), "load");
    scenario_.start_worker("w1", runner.options());
    const auto run = scenario_.submit(module);
    runner.wait_reached();
    EXPECT_EQ(ask_across_kill("cancel", {{"run_id", run}}, pass).at("cancelled"), Json({run}));
    EXPECT_EQ(scenario_.system().finished(run).at("status"), "cancelled");
    EXPECT_EQ(count("run.finished", run), 1);
    scenario_.system().kill_worker("w1");
  }
}

TEST(BrokerRestarted, WithinTheLeaseDisturbsNoTransfer) {
  Scenario scenario(Engine::sqlite, {.lease_s = 3});
  scenario.add_module("orders", append(2));
  GatedRunner runner(scenario.system(), "load");
  scenario.start_worker("w1", runner.options());
  const auto before = scenario.rows("orders");
  const auto run = scenario.submit("orders");
  const auto pid = runner.wait_reached();
  for (int i = 0; i < 3; ++i) {
    scenario.system().kill_broker();
    scenario.system().start_broker();
  }
  EXPECT_EQ(scenario.runner_pids().size(), 0U);  // it waits at the gate, as the script
  runner.open();
  runner.wait_gone(pid);
  const auto shown = scenario.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_EQ(scenario.system().events().of_run(run, "run.assigned").size(), 1U);
  scenario.expect_sound_log();
}

TEST(BrokerRestarted, AgainAndAgainLosesNoLineOfARunner) {
  constexpr int kLines = 4000;
  Scenario scenario(Engine::sqlite, {.lease_s = 3});
  scenario.add_module("orders", append(0));
  WorkerOptions options;
  options.jrunner = scenario.system().write_script(
      "chatty", fmt::format("#!/bin/sh\ncase \"$*\" in *' -dt '*) i=0; while [ $i -lt {} ]; do echo \"line $i\";"
                            " i=$((i+1)); done;; esac\nexec {} \"$@\"\n",
                            kLines, program_path("pipekit-jrunner")));
  scenario.start_worker("w1", options);
  const auto before = scenario.rows("orders");
  const auto number = scenario.system().client().next_number();
  scenario.system().kill_broker();
  for (int pass = 4; pass < 9; ++pass) {
    BrokerOptions dying{.lease_s = 3};
    dying.failpoint = fmt::format("broker.{}=kill@{}", pass % 2 == 0 ? "commit.before" : "send.before", pass);
    scenario.system().start_broker(dying);
    scenario.system().client().send(number, "run", {{"module", "orders"}});
    EXPECT_EQ(scenario.system().broker_end(), kKilled);
  }
  scenario.system().start_broker();
  const auto shown = scenario.expect_truthful_end(1, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_EQ(scenario.system().events().of_run(1, "run.assigned").size(), 1U);
  int next = 0;
  for (const auto& event : scenario.system().events().of_run(1, "run.log")) {
    const auto line = event.fields.at("line").get<std::string>();
    if (line.starts_with("line ")) {
      EXPECT_EQ(line, fmt::format("line {}", next++));
    }
  }
  EXPECT_EQ(next, kLines);
  scenario.expect_sound_log();
}

TEST(BrokerGone, LongerThanTheLeaseEndsTheTransferOnTheWorkerAndTheRunWhenItIsBack) {
  Scenario scenario(Engine::sqlite, {.lease_s = 0.6});
  scenario.add_module("orders", append(0));
  GatedRunner runner(scenario.system(), "load");
  scenario.start_worker("w1", runner.options());
  const auto before = scenario.rows("orders");
  const auto run = scenario.submit("orders");
  const auto pid = runner.wait_reached();
  scenario.system().kill_broker();
  runner.wait_gone(pid);  // by the worker itself
  scenario.system().start_broker();
  const auto shown = scenario.expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "error") << shown.dump();
  scenario.expect_runs_again("orders");
}

TEST(EventTail, ResumesFromAnyNumberAcrossAKilledBroker) {
  Scenario scenario(Engine::sqlite);
  scenario.add_module("orders", append(0));
  scenario.start_worker();
  scenario.expect_runs_again("orders");
  const auto last = scenario.system().events().catch_up();
  const auto seen = scenario.system().events().seen();
  scenario.system().kill_broker();
  scenario.system().start_broker();
  for (int64_t after = 0; after < last; ++after) {
    EventLog tail(scenario.system().control_endpoint(), after);
    ASSERT_GE(tail.catch_up(), last);
    EXPECT_EQ(tail.seen().at(0), seen.at(static_cast<size_t>(after)));
  }
  // A tail that waits for the next number gets it from the new broker.
  EventLog waiting(scenario.system().control_endpoint(), scenario.system().events().catch_up());
  const auto run = scenario.submit("orders");
  waiting.wait_for_finish(run);
  scenario.expect_sound_log();
}

}  // namespace
}  // namespace pipekit::test
