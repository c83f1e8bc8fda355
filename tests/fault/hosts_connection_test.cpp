// Connections that are reset, stalled or slow, as TCP behaves on a bad network. Runs and commands are still executed
// exactly once.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/key_file.h"
#include "tests/fault/scenario.h"
#include "tests/support/free_port.h"
#include "tests/support/tcp_proxy.h"

namespace pipekit::test {
namespace {

using ::testing::HasSubstr;

class BadNetwork : public ::testing::Test {
 protected:
  void start(double lease_s) {
    write_key("broker");
    BrokerOptions options;
    options.lease_s = lease_s;
    options.args = {"--worker-endpoint", endpoint(workers_port_), "--control-endpoint", endpoint(control_port_),
                    "--key-file",        key_file("broker")};
    scenario_ = std::make_unique<Scenario>(Engine::sqlite, options);
    ModuleOptions orders;
    orders.retries = 2;
    scenario_->add_module("orders", orders);
    allow("w1", "worker");
    allow("ann", "operator");
  }

  RunningProgram& start_worker(WorkerOptions options = {}) {
    options.args = {"--broker", endpoint(to_workers_.port())};
    const auto keys = key_args("w1");
    options.args.insert(options.args.end(), keys.begin(), keys.end());
    return system().start_worker("w1", options);
  }
  std::unique_ptr<RunningProgram> ctl(std::vector<std::string> args) {
    const auto keys = key_args("ann");
    args.insert(args.begin(), {"--broker", endpoint(to_control_.port())});
    args.insert(args.begin(), keys.begin(), keys.end());
    return std::make_unique<RunningProgram>(program_path("pipekit-ctl"), args);
  }
  // A runner that prints this many lines before it does its work.
  WorkerOptions chatty(int lines) {
    WorkerOptions options;
    options.jrunner = system().write_script(
        "chatty", fmt::format("#!/bin/sh\ncase \"$*\" in *' -dt '*) seq -f 'line %g' 1 {};; esac\nexec {} \"$@\"\n",
                              lines, program_path("pipekit-jrunner")));
    return options;
  }
  Json expect_once(int64_t run, const Rows& before) {
    auto shown = scenario_->expect_truthful_end(run, "orders", before);
    EXPECT_EQ(shown.at("status"), "success") << shown.dump();
    EXPECT_EQ(system().events().of_run(run, "run.assigned").size(), 1U);
    scenario_->expect_sound_log();
    return shown;
  }
  LocalSystem& system() { return scenario_->system(); }

  int workers_port_ = free_port();
  int control_port_ = free_port();
  TcpProxy to_workers_{workers_port_};
  TcpProxy to_control_{control_port_};
  std::unique_ptr<Scenario> scenario_;

 private:
  static std::string endpoint(int port) { return fmt::format("tcp://127.0.0.1:{}", port); }
  [[nodiscard]] std::string key_file(const std::string& name) const { return keys_.file(name + ".key"); }
  std::string write_key(const std::string& name) {
    const auto pair = new_key_pair();
    if (const auto made = write_key_file(key_file(name), pair); !made) throw std::runtime_error(made.error().message);
    return pair.public_key;
  }
  void allow(const std::string& name, const std::string& role) {
    system().client().ask("keys.allow", {{"name", name}, {"role", role}, {"public_key", write_key(name)}});
  }
  [[nodiscard]] std::vector<std::string> key_args(const std::string& name) const {
    const auto broker = read_key_file(key_file("broker"));
    return {"--key-file", key_file(name), "--broker-key", broker->public_key};
  }

  TempDir keys_;
};

TEST_F(BadNetwork, ThatResetsConnectionsLosesNoLineOfARun) {
  constexpr int kLines = 3000;
  start(6);
  start_worker(chatty(kLines));
  const auto before = scenario_->rows("orders");
  const auto run = scenario_->submit("orders");
  int resets = 0;
  for (const auto* line : {"line 1", "line 700", "line 1400", "line 2100"}) {
    system().events().wait_for(line, [&](const LoggedEvent& event) {
      return event.kind == "run.finished" || (event.kind == "run.log" && event.fields.at("line") == line);
    });
    resets += to_workers_.reset_all();
  }
  expect_once(run, before);
  EXPECT_GE(resets, 1);
  int next = 1;
  for (const auto& event : system().events().of_run(run, "run.log")) {
    const auto line = event.fields.at("line").get<std::string>();
    if (line.starts_with("line ")) {
      EXPECT_EQ(line, fmt::format("line {}", next++));
    }
  }
  EXPECT_EQ(next, kLines + 1);
}

TEST_F(BadNetwork, ThatStandsStillWithinTheLeaseDisturbsNoRun) {
  start(3);
  GatedRunner runner(system(), "load");
  auto& worker = start_worker(runner.options());
  const auto before = scenario_->rows("orders");
  const auto run = scenario_->submit("orders");
  runner.wait_reached();
  to_workers_.stall();
  runner.open();
  worker.wait_for_err("no word from the broker");
  to_workers_.flow();
  expect_once(run, before);
}

// Frames in transit arrive when nobody is waiting for them any more.
TEST_F(BadNetwork, ThatStandsStillForLongerDeliversOldWordsThatDoNoHarm) {
  start(1);
  GatedRunner runner(system(), "load");
  start_worker(runner.options());
  const auto before = scenario_->rows("orders");
  const auto run = scenario_->submit("orders");
  const auto pid = runner.wait_reached();
  to_workers_.stall();
  runner.wait_gone(pid);
  system().events().wait_for("worker.lost", [](const LoggedEvent& event) { return event.kind == "worker.lost"; });
  to_workers_.flow();
  const auto shown = scenario_->expect_truthful_end(run, "orders", before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  scenario_->expect_runs_again("orders");
  scenario_->expect_sound_log();
}

TEST_F(BadNetwork, ThatIsSlowLosesNoLease) {
  start(3);
  to_workers_.delay(std::chrono::milliseconds{60});
  to_control_.delay(std::chrono::milliseconds{60});
  start_worker();
  const auto before = scenario_->rows("orders");
  const auto watched = ctl({"run", "orders", "--watch"})->wait();
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  expect_once(1, before);
  for (const auto& event : system().events().seen()) EXPECT_NE(event.kind, "worker.lost");
}

TEST_F(BadNetwork, ThatResetsConnectionsDoesNotEndAWatch) {
  start(6);
  GatedRunner runner(system(), "load");
  start_worker(runner.options());
  const auto before = scenario_->rows("orders");
  const auto watch = ctl({"run", "orders", "--watch"});
  runner.wait_reached();
  EXPECT_GE(to_control_.reset_all(), 1);
  runner.open();
  const auto watched = watch->wait();
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_THAT(watched.out, HasSubstr("39 rows"));
  expect_once(1, before);
}

}  // namespace
}  // namespace pipekit::test
