// Runs query-mode scripts on a database directly, as a runner that follows the contract does: one session, statement by
// statement, autocommit, stop at the first error, the rows of the last statement. Lets a test act between two
// statements, and at the moment when a statement waits for another session's lock. One thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "worker/csv.h"
#include "worker/dialect/dialect.h"

namespace pipekit::test {

struct QueryAnswer {
  std::string error;  // empty: exit 0
  worker::Csv csv;    // the rows of the last statement
  [[nodiscard]] bool ok() const { return error.empty(); }
};

class QueryMode {
 public:
  virtual ~QueryMode() = default;

  // Runs to the end or the first error. `when_blocked` is called once, while a statement waits for a lock; a script
  // that never waits is an error.
  QueryAnswer run(const std::string& script, std::function<void()> when_blocked = {});
  // Runs up to the first COMMIT, which is left out, so the transaction stays open. `rest` runs the remainder.
  QueryAnswer run_until_commit(const std::string& script);
  QueryAnswer rest();

 protected:
  virtual QueryAnswer statement(const std::string& sql) = 0;
  // Called by a statement when it waits.
  void blocked();

 private:
  QueryAnswer run_all(const std::vector<std::string>& statements);

  std::vector<std::string> remaining_;
  std::function<void()> when_blocked_;
};

// The test's own database, with its dialect.
class TestDatabase {
 public:
  virtual ~TestDatabase() = default;
  [[nodiscard]] virtual const worker::Dialect& dialect() const = 0;
  virtual std::unique_ptr<QueryMode> connect() = 0;
  // A separate session, as each call of a runner has.
  QueryAnswer run(const std::string& script) { return connect()->run(script); }
};

std::unique_ptr<TestDatabase> new_sqlite_database();
// `options`: settings of each session, such as "-c default_transaction_isolation=serializable".
std::unique_ptr<TestDatabase> new_postgres_database(const std::string& options = {});

// The answer's rows as lines of text ("1|x|NULL"), for comparison.
std::string text_of(const QueryAnswer& answer);

}  // namespace pipekit::test
