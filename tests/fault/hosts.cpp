#include "tests/fault/hosts.h"

#include <csignal>

#include "shared/key_file.h"

namespace pipekit::test {

void Hosts::SetUp() {
  if (const auto why = NetworkNamespace::missing(); !why.empty()) GTEST_SKIP() << why;
  network_ = std::make_unique<Network>();
}

void Hosts::start(double lease_s, int retries) {
  const auto pair = new_key_pair();
  broker_key_ = pair.public_key;
  if (const auto made = write_key_file(key_file("broker"), pair); !made) throw std::runtime_error(made.error().message);
  BrokerOptions broker;
  broker.lease_s = lease_s;
  broker.args = {"--worker-endpoint", "tcp://0.0.0.0:7602", "--key-file", key_file("broker")};
  broker.within = network_->broker.enter();
  scenario_ = std::make_unique<Scenario>(Engine::sqlite, broker);
  ModuleOptions orders;
  orders.retries = retries;
  scenario_->add_module("orders", orders);
  for (const auto* key : {"b", "c", "d"}) allow(key);
}

void Hosts::allow(const std::string& key) {
  const auto pair = new_key_pair();
  if (const auto made = write_key_file(key_file(key), pair); !made) throw std::runtime_error(made.error().message);
  system().client().ask("keys.allow", {{"name", key}, {"role", "worker"}, {"public_key", pair.public_key}});
}

WorkerOptions Hosts::on(const WorkerHost& host, const std::string& key, WorkerOptions options) const {
  options.within = host.net().enter();
  options.args = {"--broker", host.broker(), "--key-file", key_file(key), "--broker-key", broker_key_};
  return options;
}

void Hosts::lose(WorkerHost& host, RunningProgram& worker) {
  host.cable().cut();
  worker.signal(SIGKILL);
}

void Hosts::lose_broker_host() {
  for (auto* host : {&b(), &c(), &d()}) host->cable().cut();
  system().kill_broker();
}

void Hosts::recover_broker_host() {
  for (auto* host : {&b(), &c(), &d()}) host->cable().heal();
  system().start_broker();
}

int64_t Hosts::wait_for_worker(const std::string& event, const std::string& worker, int64_t after) {
  const auto is_it = [&](const LoggedEvent& seen) { return seen.kind == event && seen.worker == worker; };
  return system().events().wait_for(event + " of " + worker, is_it, after).seq;
}

std::vector<std::string> Hosts::workers_of(int64_t run) {
  std::vector<std::string> workers;
  for (const auto& event : system().events().of_run(run, "run.assigned")) workers.push_back(event.worker);
  return workers;
}

}  // namespace pipekit::test
