// The test's own Pipekit system: a real broker and real workers in a temporary directory with ipc sockets. Nothing
// waits by time: a broker is ready when it answers, a worker when its worker.joined event is in the log. Everything
// that was started is stopped with the test. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_client.h"

namespace pipekit::test {

struct BrokerOptions {
  double lease_s = 1.0;
  std::string failpoint{};           // PIPEKIT_FAILPOINT
  std::filesystem::path data_dir{};  // in the temp directory when empty
  std::vector<std::string> args{};
  std::vector<std::string> env{};
  std::vector<std::string> within{};  // ProgramOptions
  std::string program = program_path("pipekit-broker");
};

struct WorkerOptions {
  std::string failpoint{};  // inherited by its runners
  std::string jrunner{};    // --jrunner
  int slots = 4;
  double kill_grace_s = 1.0;
  std::string state_dir{};  // DATA_DIR/workers/NAME when empty
  std::vector<std::string> args{};
  std::vector<std::string> env{};  // its runners get these, too, except those named PASSWORD or SECRET
  std::vector<std::string> secret_env{"*"};
  bool wait_joined = true;            // false for a worker that will not get that far
  std::vector<std::string> within{};  // ProgramOptions
  std::string program = program_path("pipekit-worker");
};

class LocalSystem {
 public:
  explicit LocalSystem(BrokerOptions options = {});
  ~LocalSystem();

  // Starts it again with the same options, or others; the previous one must have ended.
  void start_broker();
  void start_broker(const BrokerOptions& options);
  RunningProgram& broker() { return *broker_; }
  void kill_broker();
  // Waits until it has ended by itself (at a failpoint) and returns its exit code: 137 after SIGKILL.
  int broker_end();

  RunningProgram& start_worker(const std::string& name, const WorkerOptions& options = {});
  RunningProgram& worker(const std::string& name);
  // Both return when the worker, its supervisors and its runners have exited.
  void kill_worker(const std::string& name);
  int worker_end(const std::string& name);

  // A definition document (CONTRACT.md) as JSON.
  void apply(const Json& document);
  TestClient& client() { return *client_; }
  EventLog& events() { return *events_; }
  // The run as `runs show` prints it, after its run.finished event.
  Json finished(int64_t run);
  Json run_to_end(const std::string& module) { return finished(client().run(module)); }

  [[nodiscard]] const TempDir& dir() const { return dir_; }
  [[nodiscard]] std::string file(std::string_view name) const { return dir_.file(name); }
  [[nodiscard]] const std::string& data_dir() const { return data_dir_; }
  [[nodiscard]] std::string control_endpoint() const { return "ipc://" + data_dir_ + "/control.sock"; }
  // Creates an executable script in the temporary directory, for --jrunner; returns its path.
  std::string write_script(const std::string& name, const std::string& text) const;

 private:
  struct NamedWorker {
    std::string name;
    std::unique_ptr<RunningProgram> program;
  };

  TempDir dir_;
  BrokerOptions options_;
  std::string data_dir_;
  std::unique_ptr<RunningProgram> broker_;
  std::vector<NamedWorker> workers_;
  std::unique_ptr<TestClient> client_;
  std::unique_ptr<EventLog> events_;
};

}  // namespace pipekit::test
