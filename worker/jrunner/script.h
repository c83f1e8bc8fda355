// Query mode: runs the statements of a script one by one in one session, in autocommit mode, up to the first error,
// which names the statement. A transaction that is still open at the end is rolled back, and a line on stderr says so.
#pragma once

#include <string_view>

#include "worker/jrunner/cancellation.h"
#include "worker/jrunner/jdbc_url.h"
#include "worker/jrunner/result_printer.h"

namespace pipekit::jrunner {

struct Script {
  std::string_view text;
  bool read_only = false;  // statements that write are refused; in PostgreSQL the script is one transaction
  bool generated = false;  // written by a program: errors do not name its statements
};

void run_sqlite_script(const SqliteTarget& target, const Script& script, Cancellation& cancellation,
                       ResultPrinter& result);
void run_postgres_script(const PostgresTarget& target, const Script& script, Cancellation& cancellation,
                         ResultPrinter& result);

// Adds the failed statement to an error's message.
struct StatementPlace {
  size_t number;
  size_t line;
  std::string first_line;
};
[[nodiscard]] Error at_statement(Error error, const StatementPlace& place);
void warn_open_transaction();

}  // namespace pipekit::jrunner
