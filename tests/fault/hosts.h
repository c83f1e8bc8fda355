// A broker and up to three workers, each on a separate host, which know each other by keys, and a module "orders" to
// run. The cables between broker and workers can be cut; the databases are files that all hosts see.
#pragma once

#include <gtest/gtest.h>

#include "tests/fault/scenario.h"
#include "tests/support/network_namespace.h"

namespace pipekit::test {

class WorkerHost {
 public:
  explicit WorkerHost(const NetworkNamespace& broker) : cable_(broker, net_) {}

  // The broker's worker endpoint as seen from this host.
  [[nodiscard]] std::string broker() const { return "tcp://" + cable_.left() + ":7602"; }
  [[nodiscard]] const NetworkNamespace& net() const { return net_; }
  // Its left end is at the broker.
  VirtualCable& cable() { return cable_; }

 private:
  NetworkNamespace net_;
  VirtualCable cable_;
};

class Hosts : public ::testing::Test {
 protected:
  // Skips the test if network namespaces are not available.
  void SetUp() override;
  // The broker, which allows the keys "b", "c" and "d".
  void start(double lease_s, int retries = 2);

  void allow(const std::string& key);
  // Options for a worker on that host.
  [[nodiscard]] WorkerOptions on(const WorkerHost& host, const std::string& key, WorkerOptions options = {}) const;

  WorkerHost& b() { return network_->b; }
  WorkerHost& c() { return network_->c; }
  WorkerHost& d() { return network_->d; }
  // A host dies: nothing that its kernel still sends arrives.
  static void lose(WorkerHost& host, RunningProgram& worker);
  void lose_broker_host();
  // The host is back, with the same files.
  void recover_broker_host();

  Scenario& scenario() { return *scenario_; }
  LocalSystem& system() { return scenario_->system(); }
  // worker.joined, worker.lost, ...: the first after event number `after`.
  int64_t wait_for_worker(const std::string& event, const std::string& worker, int64_t after = 0);
  std::vector<std::string> workers_of(int64_t run);

 private:
  struct Network {
    NetworkNamespace broker;
    WorkerHost b{broker};
    WorkerHost c{broker};
    WorkerHost d{broker};
  };
  [[nodiscard]] std::string key_file(const std::string& name) const { return keys_.file(name + ".key"); }

  TempDir keys_;
  std::unique_ptr<Network> network_;
  std::string broker_key_;
  std::unique_ptr<Scenario> scenario_;
};

}  // namespace pipekit::test
