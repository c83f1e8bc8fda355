#include <algorithm>
#include <array>
#include <cctype>
#include <string>

#include "shared/failpoint.h"
#include "worker/jrunner/failure.h"
#include "worker/jrunner/postgres_connection.h"
#include "worker/jrunner/postgres_source.h"
#include "worker/jrunner/script.h"
#include "worker/jrunner/sql_script.h"

namespace pipekit::jrunner {
namespace {

void begin_result(const PGresult* rows, ResultPrinter& result) {
  result.begin_result();
  for (int i = 0; i < PQnfields(rows); ++i) result.add_field(PQfname(rows, i));
  result.end_row();
}

// Times get offsets that SQLite can read, because the value may be a watermark for a query there.
std::string value_of(const PGresult* rows, int row, int column) {
  std::string text(PQgetvalue(rows, row, column), static_cast<size_t>(PQgetlength(rows, row, column)));
  const auto type = value_of_type(PQftype(rows, column));
  if (type != PostgresValue::kTime && type != PostgresValue::kTimestamp) return text;
  return sqlite_time(text, type).value_or(text);
}

void add_rows(const PGresult* rows, ResultPrinter& result) {
  for (int r = 0; r < PQntuples(rows); ++r) {
    for (int c = 0; c < PQnfields(rows); ++c) {
      if (PQgetisnull(rows, r, c) != 0) {
        result.add_field(std::nullopt);
      } else {
        result.add_field(value_of(rows, r, c));
      }
    }
    result.end_row();
  }
}

// Each row is a result of its own, followed by one without rows; an empty result set consists of that last one only.
void run_statement(PostgresConnection& connection, const std::string& sql, ResultPrinter& result) {
  connection.send_row_by_row(sql);
  bool begun = false;
  while (const auto rows = connection.next_result()) {
    connection.check(rows);
    const auto status = PQresultStatus(rows.get());
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH) {
      throw Failure({ErrorCode::kInvalid, "COPY from STDIN or to STDOUT does not work in a script",
                     "use INSERT, or COPY with a file on the server"});
    }
    if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK) continue;
    if (!begun) begin_result(rows.get(), result);
    begun = true;
    add_rows(rows.get(), result);
  }
}

// Once it has a snapshot, a read-only transaction cannot be made writable; only ending it would allow writing.
void begin_read_only(PostgresConnection& connection) {
  connection.execute("BEGIN READ ONLY");
  connection.execute("SELECT 1");
}

void refuse_transaction_control(std::string_view code) {
  static constexpr std::array<std::string_view, 7> kWords{"begin", "start",    "commit", "end",
                                                          "abort", "rollback", "prepare"};
  std::string word;
  for (const char c : code) {
    if (std::isalpha(static_cast<unsigned char>(c)) == 0) break;
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (std::ranges::find(kWords, word) == kWords.end()) return;
  throw Failure({ErrorCode::kInvalid, "this session is one read-only transaction, which the script cannot begin or end",
                 "set read_only: false on the connection if its queries must write"});
}

}  // namespace

void run_postgres_script(const PostgresTarget& target, const Script& given, Cancellation& cancellation,
                         ResultPrinter& result) {
  const auto script = given.text;
  PostgresConnection connection(target, cancellation);
  if (given.read_only) begin_read_only(connection);
  const char* strings = PQparameterStatus(connection.handle(), "standard_conforming_strings");
  size_t number = 0;
  for (const auto& statement :
       split_sql(script, SqlDialect::postgresql, strings == nullptr || std::string_view(strings) == "on")) {
    ++number;
    try {
      cancellation.throw_if_requested();
      FAILPOINT("jrunner.script.statement");
      const auto code = statement.text.substr(statement.code);
      if (given.read_only) refuse_transaction_control(code);
      run_statement(connection, std::string(statement.text), result);
    } catch (const Failure& failure) {
      if (given.generated) throw;
      throw Failure(
          at_statement(failure.error(), {number, statement.line, first_line(statement.text.substr(statement.code))}));
    }
  }
  if (given.read_only) return connection.execute("COMMIT"), void();
  if (!connection.in_transaction()) return;
  connection.execute("ROLLBACK");  // explicitly, so that it is done when this program ends
  warn_open_transaction();
}

}  // namespace pipekit::jrunner
