// A whole Pipekit in a directory of the test's own: broker, workers and the databases they serve, driven by pipekit-ctl
// as a person or a script would. Nothing here waits for time to pass: ends and steps of runs are awaited as events.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/postgres_cluster.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace pipekit::test {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

// A user's database, of either engine.
class UserDatabase {
 public:
  virtual ~UserDatabase() = default;
  // An item of `connections:` in a definition file; `more`: further fields, as ", max_sessions: 2".
  [[nodiscard]] virtual std::string definition(const std::string& name, const std::string& more = {}) const = 0;
  virtual void execute(const std::string& sql) = 0;
  // "1|a|NULL" a line.
  virtual std::string rows(const std::string& sql) = 0;
  // Names of the staging tables of attempts that stand.
  virtual std::string staging_tables() = 0;
};

std::unique_ptr<UserDatabase> new_sqlite(const std::string& file);
// With the password in $TEST_PG_PASSWORD.
std::unique_ptr<UserDatabase> new_postgres();

class FlowTest : public ::testing::Test {
 protected:
  FlowTest();

  RunningProgram& start_broker(const Words& args = {});
  RunningProgram& start_worker(const std::string& name = "w1", const Words& args = {}, const Words& env = {});
  void start_system(const Words& worker_args = {}, const Words& worker_env = {});
  // The program's exit code, once the signal has ended it.
  int end_broker(int signal = SIGTERM);
  int end_worker(const std::string& name, int signal = SIGTERM);
  RunningProgram& broker() { return *broker_; }
  RunningProgram& worker(const std::string& name = "w1") { return *workers_.at(name); }

  [[nodiscard]] Words ctl_args(const Words& args) const;
  ProgramResult ctl(const Words& args) const;
  // What -o json printed; the command has to succeed.
  Json json(const Words& args) const;
  // `modules`: the text of a definition file after its connections src and dst.
  void apply(const std::string& modules, const std::string& more_connections = {});

  int64_t submit(const std::string& module, const Words& more = {}) const;
  // To its end; answers `runs show`.
  Json run(const std::string& module, const Words& more = {}) const;
  Json wait(int64_t run) const;
  [[nodiscard]] Json show(int64_t run) const { return json({"runs", "show", std::to_string(run)}); }
  // Returns once the run has an event whose JSON contains `text`.
  void wait_for_event(int64_t run, const std::string& text) const;
  [[nodiscard]] std::vector<Json> events(const Words& more = {}) const;

  // Writes an executable shell script that stands in for the runner. The bundled one is $JRUNNER in it.
  std::string runner(const std::string& name, const std::string& body) const;
  [[nodiscard]] std::string data_dir() const { return dir_.file("data"); }

  TempDir dir_;
  std::unique_ptr<UserDatabase> src_;
  std::unique_ptr<UserDatabase> dst_;

 private:
  std::unique_ptr<RunningProgram> broker_;
  std::map<std::string, std::unique_ptr<RunningProgram>> workers_;
};

// orders(id, customer, total) in both; rows 1, 2, 3 in the source. A module of that shape.
inline constexpr auto kOrders = "CREATE TABLE orders (id integer PRIMARY KEY, customer text, total numeric)";
inline constexpr auto kThreeOrders = "INSERT INTO orders VALUES (1, 'ann', 10), (2, 'bob', 20), (3, NULL, 30)";
// `more`: further fields of the module, each on a line of its own.
std::string orders_module(const std::string& strategy, const Words& more = {}, const std::string& name = "orders");

MATCHER_P(Ended, status, "") {
  *result_listener << arg.dump(1);
  return arg.at("status") == status;
}

}  // namespace pipekit::test
