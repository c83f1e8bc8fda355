#include <string>

#include "shared/failpoint.h"
#include "worker/jrunner/failure.h"
#include "worker/jrunner/postgres_connection.h"
#include "worker/jrunner/script.h"
#include "worker/jrunner/sql_script.h"

namespace pipekit::jrunner {
namespace {

void begin_result(const PGresult* rows, ResultPrinter& result) {
  result.begin_result();
  for (int i = 0; i < PQnfields(rows); ++i) result.add_field(PQfname(rows, i));
  result.end_row();
}

void add_rows(const PGresult* rows, ResultPrinter& result) {
  for (int r = 0; r < PQntuples(rows); ++r) {
    for (int c = 0; c < PQnfields(rows); ++c) {
      if (PQgetisnull(rows, r, c) != 0) {
        result.add_field(std::nullopt);
      } else {
        result.add_field(std::string_view(PQgetvalue(rows, r, c), static_cast<size_t>(PQgetlength(rows, r, c))));
      }
    }
    result.end_row();
  }
}

// Rows come one a result, and a last result without any; a result set without rows is only that last one.
void run_statement(PostgresConnection& connection, const std::string& sql, ResultPrinter& result) {
  connection.send_row_by_row(sql);
  bool begun = false;
  while (const auto rows = connection.next_result()) {
    connection.check(rows);
    const auto status = PQresultStatus(rows.get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      throw Failure({ErrorCode::kInvalid, "COPY with STDIN or STDOUT has no place in a script",
                     "rows are copied with -dcu and -dt"});
    }
    if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK) continue;
    if (!begun) begin_result(rows.get(), result);
    begun = true;
    add_rows(rows.get(), result);
  }
}

}  // namespace

void run_postgres_script(const PostgresTarget& target, std::string_view script, Cancellation& cancellation,
                         ResultPrinter& result) {
  PostgresConnection connection(target, cancellation);
  const char* strings = PQparameterStatus(connection.handle(), "standard_conforming_strings");
  size_t number = 0;
  for (const auto& statement :
       split_sql(script, SqlDialect::postgresql, strings == nullptr || std::string_view(strings) == "on")) {
    ++number;
    try {
      cancellation.throw_if_requested();
      FAILPOINT("jrunner.script.statement");
      run_statement(connection, std::string(statement.text), result);
    } catch (const Failure& failure) {
      throw Failure(
          at_statement(failure.error(), {number, statement.line, first_line(statement.text.substr(statement.code))}));
    }
  }
  if (!connection.in_transaction()) return;
  connection.execute("ROLLBACK");  // here, so that it is done when this program has ended
  warn_open_transaction();
}

}  // namespace pipekit::jrunner
