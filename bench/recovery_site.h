// A broker and two workers on separate hosts, to measure what happens when one of them fails: network namespaces with
// cables that can be cut. The module "orders" has two attempts; the very first transfer hangs until it is killed, all
// others succeed. Needs root. Errors are std::runtime_error. One thread.
#pragma once

#include <memory>
#include <string>

#include "tests/support/network_namespace.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_client.h"

namespace pipekit::bench {

class RecoverySite {
 public:
  explicit RecoverySite(double lease_s);
  ~RecoverySite();
  RecoverySite(const RecoverySite&) = delete;
  RecoverySite& operator=(const RecoverySite&) = delete;

  void start_broker();
  // "one" or "two"; returns when it has joined.
  void start_worker(const std::string& name);
  // The first attempt of the run hangs in its transfer.
  int64_t begin_run();
  void kill_worker(const std::string& name);
  void kill_broker();
  // Packets that the host's kernel would send at its end do not arrive.
  void lose_worker_host(const std::string& name);
  void lose_broker_host();
  void heal();

  test::TestClient& client() { return *client_; }
  // Returns when that attempt of the run, or a later one, has started.
  void wait_for_attempt(int64_t run, int attempt);
  void wait_for_end(int64_t run) { events_->wait_for_finish(run); }
  // Throws unless the run succeeds in this attempt.
  void expect_success(int64_t run, int attempt);

 private:
  struct Host {
    explicit Host(const test::NetworkNamespace& broker) : cable(broker, net) {}
    test::NetworkNamespace net;
    test::VirtualCable cable;
    std::unique_ptr<test::RunningProgram> worker;
  };
  Host& host(const std::string& name) { return name == "one" ? one_ : two_; }
  std::string write_key(const std::string& name);
  void write_runner();
  void define();

  double lease_s_;
  test::TempDir dir_;
  test::NetworkNamespace broker_host_;
  Host one_{broker_host_};
  Host two_{broker_host_};
  std::string broker_key_;
  std::string runner_;
  std::unique_ptr<test::RunningProgram> broker_;
  std::unique_ptr<test::TestClient> client_;
  std::unique_ptr<test::EventLog> events_;
};

}  // namespace pipekit::bench
