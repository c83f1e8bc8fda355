// A broker for one benchmark, as it is shipped: a process with an empty store, on ipc sockets. It ends and its files
// are removed with this object.
#pragma once

#include <memory>
#include <string>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_client.h"

namespace pipekit::bench {

class LocalBroker {
 public:
  LocalBroker();

  [[nodiscard]] pid_t pid() const { return process_->pid(); }
  [[nodiscard]] const std::string& control_endpoint() const { return control_; }
  [[nodiscard]] const std::string& worker_endpoint() const { return workers_; }
  [[nodiscard]] const test::TempDir& dir() const { return dir_; }
  test::TestClient& client() { return *client_; }
  test::EventLog& events() { return *events_; }
  // A worker process of this broker; returns when it has joined.
  std::unique_ptr<test::RunningProgram> start_worker(const std::string& name, int slots,
                                                     const std::string& jrunner = "");
  // Sends SIGTERM and waits for the end.
  void stop();

 private:
  test::TempDir dir_;
  std::string control_;
  std::string workers_;
  std::unique_ptr<test::RunningProgram> process_;
  std::unique_ptr<test::TestClient> client_;
  std::unique_ptr<test::EventLog> events_;
};

}  // namespace pipekit::bench
