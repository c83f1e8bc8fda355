// Shared by the fault tests: a source and a destination database, modules of each strategy, what a destination must
// contain before and after, and the invariants that hold whatever was killed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/local_system.h"
#include "tests/support/postgres_cluster.h"

namespace pipekit::test {

enum class Engine { sqlite, postgresql };

// Sorted rows like "id|v": equal vectors are equal multisets.
using Rows = std::vector<std::string>;

// The test's own connection to a database, independent of the programs under test. Errors throw.
class Database {
 public:
  virtual ~Database() = default;
  virtual Rows rows(const std::string& sql) = 0;
  void execute(const std::string& sql) { rows(sql); }
};

std::unique_ptr<Database> open_sqlite(const std::string& path);
std::unique_ptr<Database> open_postgres(const std::string& conninfo);

struct ModuleOptions {
  std::string strategy = "append";
  int retries = 0;
  int timeout_s = 0;
  bool hook = true;
  std::string source_query = "SELECT id, v FROM items WHERE id > {low}";
  std::string source = "source";
};

class Scenario {
 public:
  explicit Scenario(Engine engine, const BrokerOptions& options = {});

  LocalSystem& system() { return system_; }
  Database& source() { return *source_; }
  // The test's session at the destination.
  Database& destination() { return *destination_; }
  [[nodiscard]] Engine engine() const { return engine_; }
  [[nodiscard]] std::string database() const { return database_; }

  // A table with three old rows, and a module with that name that copies the source into it.
  void add_module(const std::string& name, const ModuleOptions& options = {});
  // With `fence: none` on the destination.
  void unfence() { fence_ = "none"; }
  Rows rows(const std::string& module);
  // The rows after one more run of the module, given those before.
  Rows after(const std::string& module, const Rows& before);

  RunningProgram& start_worker(const std::string& name = "w1", WorkerOptions options = {});
  int64_t submit(const std::string& module) { return system_.client().run(module); }

  // Waits for the run's end and compares the destination with what the run reports. Returns the run.
  Json expect_truthful_end(int64_t run, const std::string& module, const Rows& before);
  // The module is not locked, runs successfully, and leaves no staging table behind.
  void expect_runs_again(const std::string& module);
  // The log from its first number: no gap, no duplicate, everything shown before is still there, one end per run and
  // nothing of a run after its end.
  void expect_sound_log();
  std::vector<std::string> staging_tables(const std::string& module);
  // The live runners of this test, recognised by the files in their arguments.
  std::vector<pid_t> runner_pids();

 private:
  struct Module {
    std::string name;
    ModuleOptions options;
  };
  void apply();
  [[nodiscard]] Json destination_connection() const;

  Engine engine_;
  LocalSystem system_;
  std::string database_;
  std::unique_ptr<Database> source_;
  std::unique_ptr<Database> destination_;
  std::vector<Module> modules_;
  std::string fence_ = "auto";
};

// A runner that stops at the first call of a kind (claim, load, merge, close) until the test lets it continue, or that
// has a failpoint there. It is pipekit-jrunner behind a script.
class GatedRunner {
 public:
  GatedRunner(const LocalSystem& system, const std::string& kind, const std::string& failpoint = "");

  // Options for a worker that uses it.
  [[nodiscard]] WorkerOptions options() const;
  // Returns its process id once it has stopped at the gate. Only without a failpoint.
  pid_t wait_reached();
  void open();
  // Waits until that process has ended.
  void wait_gone(pid_t pid) const;

 private:
  std::string script_;
  std::vector<std::string> env_;
  UniqueFd at_;
  UniqueFd go_;
};

}  // namespace pipekit::test
