#include "shared/failpoint.h"
#include "worker/jrunner/copy_text.h"
#include "worker/jrunner/failure.h"
#include "worker/jrunner/number_text.h"
#include "worker/jrunner/script.h"
#include "worker/jrunner/sql_script.h"
#include "worker/jrunner/sqlite_connection.h"

namespace pipekit::jrunner {
namespace {

void append_blob(std::string_view bytes, std::string& out) {
  append_copy_bytes(bytes, out);
  out.erase(0, 1);  // COPY's escape of the backslash
}

void add_field(const SqliteStatement& statement, int column, ResultPrinter& result) {
  std::string text;
  switch (statement.type(column)) {
    case SQLITE_NULL:
      return result.add_field(std::nullopt);
    case SQLITE_TEXT:
      return result.add_field(statement.text(column));
    case SQLITE_INTEGER:
      append_integer(statement.integer(column), text);
      break;
    case SQLITE_FLOAT:
      append_real_as_text(statement.real(column), text);
      break;
    default:
      append_blob(statement.blob(column), text);
  }
  result.add_field(text);
}

// A column count above zero means a result set, with or without rows.
void run_statement(SqliteStatement& statement, ResultPrinter& result) {
  const int columns = statement.columns();
  if (columns > 0) {
    result.begin_result();
    for (int i = 0; i < columns; ++i) result.add_field(statement.column_name(i));
    result.end_row();
  }
  while (statement.step()) {
    for (int i = 0; i < columns; ++i) add_field(statement, i, result);
    result.end_row();
  }
}

}  // namespace

// Statements are prepared one after the other, not ahead: each may need what the one before it created.
void run_sqlite_script(const SqliteTarget& target, const Script& given, Cancellation& cancellation,
                       ResultPrinter& result) {
  const auto script = given.text;
  SqliteConnection connection(target, cancellation,
                              given.read_only ? SqliteAccess::read_only : SqliteAccess::read_write);
  size_t number = 0;
  size_t line = 1;
  size_t counted = 0;
  for (size_t at = skip_sqlite_blank(script, 0); at < script.size(); at = skip_sqlite_blank(script, at)) {
    line += line_at(script.substr(counted), at - counted) - 1;
    counted = at;
    ++number;
    const auto code = script.substr(at);
    try {
      cancellation.throw_if_requested();
      FAILPOINT("jrunner.script.statement");
      std::string_view rest;
      const auto attached = connection.allow_vacuum(code);
      auto statement = connection.prepare(code, &rest);
      if (statement) run_statement(*statement, result);
      at = script.size() - rest.size();
    } catch (const Failure& failure) {
      if (given.generated) throw;
      throw Failure(at_statement(failure.error(), {number, line, first_line(code)}));
    }
  }
  if (connection.in_transaction()) warn_open_transaction();
}

}  // namespace pipekit::jrunner
