// A whole Pipekit in the test's own directory: broker, workers and their databases, driven by pipekit-ctl as by a
// person or a script. Nothing waits for time to pass: the ends and steps of runs are awaited as events.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/local_system.h"
#include "tests/support/postgres_cluster.h"

namespace pipekit::test {

using Words = std::vector<std::string>;

// A user's database, SQLite or PostgreSQL.
class UserDatabase {
 public:
  virtual ~UserDatabase() = default;
  // An item of `connections:` in a definition file; `more`: further fields, as ", max_sessions: 2".
  [[nodiscard]] virtual std::string definition(const std::string& name, const std::string& more = {}) const = 0;
  virtual void execute(const std::string& sql) = 0;
  // Lines like "1|a|NULL".
  virtual std::string rows(const std::string& sql) = 0;
  // Names of the existing staging tables.
  virtual std::string staging_tables() = 0;
};

std::unique_ptr<UserDatabase> new_sqlite(const std::string& file);
// With the password in $TEST_PG_PASSWORD.
std::unique_ptr<UserDatabase> new_postgres();

// Writes an executable shell script that replaces the runner. It can use: MIGRATION, which is set if it is called in
// migration mode, and `real`, which calls the bundled runner ($JRUNNER) with the same arguments.
std::string stand_in_runner(const LocalSystem& system, const std::string& body);

class FlowTest : public ::testing::Test {
 protected:
  // Leases are long, so that none ends on a slow machine.
  FlowTest() : FlowTest(BrokerOptions{.lease_s = 60}) {}
  explicit FlowTest(const BrokerOptions& options);

  // w1, with $TEST_PG_PASSWORD and $JRUNNER, the bundled runner, in its environment.
  RunningProgram& start_worker(WorkerOptions options = {}, const std::string& name = "w1");

  [[nodiscard]] Words ctl_args(const Words& args) const;
  ProgramResult ctl(const Words& args) const;
  // The output of -o json; the command must succeed.
  Json json(Words args) const;
  // `modules`: the text of a definition file after its connections src and dst.
  void apply(const std::string& modules, const std::string& more_connections = {});

  int64_t submit(const std::string& module, const Json& more = Json::object()) {
    return system_.client().run(module, more);
  }
  // Waits for its end; returns `runs show`.
  Json run(const std::string& module, const Json& more = Json::object()) { return wait(submit(module, more)); }
  Json wait(int64_t run) { return system_.finished(run); }
  Json cancel(int64_t run) { return system_.client().ask("cancel", {{"run_id", run}}); }
  EventLog& events() { return system_.events(); }
  // A line of the run's log that contains `text`.
  void wait_for_line(int64_t run, const std::string& text);

  [[nodiscard]] std::string runner(const std::string& body) const { return stand_in_runner(system_, body); }
  [[nodiscard]] std::string file(std::string_view name) const { return system_.file(name); }

  LocalSystem system_;
  std::unique_ptr<UserDatabase> src_;
  std::unique_ptr<UserDatabase> dst_;
};

// orders(id, customer, total) in both databases; rows 1, 2, 3 in the source; and a module for it.
inline constexpr auto kOrders = "CREATE TABLE orders (id integer PRIMARY KEY, customer text, total numeric)";
inline constexpr auto kThreeOrders = "INSERT INTO orders VALUES (1, 'ann', 10), (2, 'bob', 20), (3, NULL, 30)";
// `more`: further fields of the module, one per line.
std::string orders_module(const std::string& strategy, const Words& more = {}, const std::string& name = "orders");

MATCHER_P(Ended, status, "") {
  *result_listener << arg.dump(1);
  return arg.at("status") == status;
}

}  // namespace pipekit::test
