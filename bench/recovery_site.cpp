#include "bench/recovery_site.h"

#include <fmt/format.h>

#include <csignal>

#include "bench/user_database.h"
#include "shared/key_file.h"

namespace pipekit::bench {
namespace {

constexpr Millis kLongest{180'000};  // longer than any lease here

}  // namespace

RecoverySite::RecoverySite(double lease_s) : lease_s_(lease_s) {
  const auto control = "ipc://" + dir_.file("d") + "/control.sock";
  client_ = std::make_unique<test::TestClient>(control);
  events_ = std::make_unique<test::EventLog>(control, 0, kLongest);
  broker_key_ = write_key("broker");
  write_runner();
  start_broker();
  define();
}

RecoverySite::~RecoverySite() {
  one_.worker.reset();
  two_.worker.reset();
}

std::string RecoverySite::write_key(const std::string& name) {
  const auto pair = new_key_pair();
  const auto made = write_key_file(dir_.file(name + ".key"), pair);
  if (!made) throw std::runtime_error(made.error().message);
  return pair.public_key;
}

void RecoverySite::write_runner() {
  runner_ = dir_.write("runner", fmt::format("#!/bin/sh\ncase \"$*\" in *' -dt '*) if mkdir {0}.latch 2>/dev/null; then"
                                             " echo standing; exec sleep 3600; fi;; esac\nexec {1} \"$@\"\n",
                                             dir_.file("first"), test::program_path("pipekit-jrunner")));
  std::filesystem::permissions(runner_, std::filesystem::perms::owner_all);
}

void RecoverySite::define() {
  const auto pair = TablePair::make(dir_, "orders", 10);
  auto document = pair.document({"orders"});
  document["modules"][0]["retries"] = 1;
  document["modules"][0]["retry_backoff_s"] = 0;
  client_->ask("apply", {{"document", document}});
  for (const auto* name : {"one", "two"}) {
    client_->ask("keys.allow", {{"name", name}, {"role", "worker"}, {"public_key", write_key(name)}});
  }
}

void RecoverySite::start_broker() {
  test::ProgramOptions options;
  options.within = broker_host_.enter();
  broker_ = std::make_unique<test::RunningProgram>(
      test::program_path("pipekit-broker"),
      std::vector<std::string>{"--data-dir", dir_.file("d"), "--lease", fmt::format("{}", lease_s_),
                               "--worker-endpoint", "tcp://0.0.0.0:7602", "--key-file", dir_.file("broker.key")},
      options);
  broker_->wait_for_err(" serves ");
  client_->reconnect();
  events_->reconnect();
}

void RecoverySite::start_worker(const std::string& name) {
  auto& at = host(name);
  test::ProgramOptions options;
  options.within = at.net.enter();
  const auto before = events_->last_seq();
  at.worker = std::make_unique<test::RunningProgram>(
      test::program_path("pipekit-worker"),
      std::vector<std::string>{"--name", name, "--state-dir", dir_.file("state-" + name), "--jrunner", runner_,
                               "--broker", fmt::format("tcp://{}:7602", at.cable.left()), "--key-file",
                               dir_.file(name + ".key"), "--broker-key", broker_key_},
      options);
  const auto joined = [&](const test::LoggedEvent& event) {
    return event.kind == "worker.joined" && event.worker == name;
  };
  events_->wait_for("worker.joined of " + name, joined, before);
}

int64_t RecoverySite::begin_run() {
  const auto run = client_->run("orders");
  events_->wait_for("the first transfer", [&](const test::LoggedEvent& event) {
    return event.kind == "run.log" && event.run == run && event.fields.at("line") == "standing";
  });
  return run;
}

void RecoverySite::kill_worker(const std::string& name) { host(name).worker->signal(SIGKILL); }

void RecoverySite::kill_broker() {
  broker_->signal(SIGKILL);
  broker_->wait();
}

void RecoverySite::lose_worker_host(const std::string& name) {
  host(name).cable.cut();
  kill_worker(name);
}

void RecoverySite::lose_broker_host() {
  one_.cable.cut();
  two_.cable.cut();
  kill_broker();
}

void RecoverySite::heal() {
  one_.cable.heal();
  two_.cable.heal();
}

void RecoverySite::wait_for_attempt(int64_t run, int attempt) {
  events_->wait_for("the next attempt", [&](const test::LoggedEvent& event) {
    return event.kind == "run.started" && event.run == run && event.fields.value("attempt", 0) >= attempt;
  });
}

void RecoverySite::expect_success(int64_t run, int attempt) {
  const auto& end = events_->wait_for_finish(run);
  const auto begun = events_->of_run(run, "run.started");
  const bool as_meant = end.fields.value("status", "") == "success" &&
                        (begun.empty() ? 0 : begun.back().fields.value("attempt", 0)) == attempt;
  if (!as_meant) throw std::runtime_error("the run did not end as it has to" + events_->last_words());
}

}  // namespace pipekit::bench
