// What the fault tests share: one source and one destination database, modules of each strategy over them, what a
// destination has to hold before and after, and the invariants that hold whatever was killed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/local_system.h"
#include "tests/support/postgres_cluster.h"

namespace pipekit::test {

enum class Engine { sqlite, postgresql };

// Sorted rows, "id|v" each: equal vectors are equal multisets.
using Rows = std::vector<std::string>;

// The test's own view of a database, apart from the programs under test. Errors throw.
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

  // A table with three old rows, and a module of that name which reads the source into it.
  void add_module(const std::string& name, const ModuleOptions& options = {});
  // fence: none on the destination.
  void unfence() { fence_ = "none"; }
  Rows rows(const std::string& module);
  // What one more run of the module makes of `before`.
  Rows after(const std::string& module, const Rows& before);

  RunningProgram& start_worker(const std::string& name = "w1", WorkerOptions options = {});
  int64_t submit(const std::string& module) { return system_.client().run(module); }

  // Waits for the run's end and holds the destination against what the run says of itself. Answers the run.
  Json expect_truthful_end(int64_t run, const std::string& module, const Rows& before);
  // The module is free, runs to success, and leaves no staging behind.
  void expect_runs_again(const std::string& module);
  // The log from its first number: no gap, no duplicate, what was shown once is still there, one end a run and nothing
  // of a run after its end.
  void expect_sound_log();
  std::vector<std::string> staging_tables(const std::string& module);
  // Wherever it waits; the names of running programs whose arguments name this test's directory.
  std::vector<std::string> runners_alive();

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

// A runner that stops at the first call of a kind (claim, load, merge, close) until the test lets it go on, or arms a
// failpoint in it. It is pipekit-jrunner behind a script.
class GatedRunner {
 public:
  GatedRunner(const LocalSystem& system, const std::string& kind, const std::string& failpoint = "");

  // For a worker that is to use it.
  [[nodiscard]] WorkerOptions options() const;
  // Returns its process id once it stands at the gate. Only without a failpoint.
  pid_t wait_reached();
  void open();
  // Until that process has ended.
  void wait_gone(pid_t pid) const;

 private:
  std::string script_;
  std::vector<std::string> env_;
  UniqueFd at_;
  UniqueFd go_;
};

}  // namespace pipekit::test
