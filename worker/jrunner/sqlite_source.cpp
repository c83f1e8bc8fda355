#include "worker/jrunner/sqlite_source.h"

#include "worker/jrunner/copy_text.h"
#include "worker/jrunner/failure.h"
#include "worker/jrunner/number_text.h"
#include "worker/jrunner/sql_script.h"

namespace pipekit::jrunner {
namespace {

[[noreturn]] void not_one_query(const std::string& what) {
  throw Failure({ErrorCode::kInvalid, "source_query must be exactly one SELECT: it " + what});
}

}  // namespace

SqliteSource::SqliteSource(const SqliteTarget& target, std::string_view script, Cancellation& cancellation,
                           SqliteAccess access)
    : connection_(target, cancellation, access) {
  const auto code = script.substr(skip_sqlite_blank(script, 0));
  std::string_view rest;
  statement_ = connection_.prepare(code, &rest);
  if (!statement_) not_one_query("has no statement");
  const auto next = skip_sqlite_blank(rest, 0);
  if (next != rest.size())
    not_one_query("has more than one statement; the second is: " + first_line(rest.substr(next)));
  if (statement_->columns() == 0) not_one_query("has a statement that returns no rows: " + first_line(code));
}

bool SqliteSource::read(RowBatch& batch) {
  while (!batch.full()) {
    if (!statement_->step()) return false;
    ++row_;
    ++batch.rows;
    if (destination_.form == RowForm::kCells) {
      add_cells(batch);
    } else {
      add_copy_line(batch.bytes);
    }
  }
  return true;
}

void SqliteSource::add_cells(RowBatch& batch) const {
  for (int column = 0; column < statement_->columns(); ++column) {
    switch (statement_->type(column)) {
      case SQLITE_NULL:
        batch.add_null();
        break;
      case SQLITE_INTEGER:
        batch.add_integer(statement_->integer(column));
        break;
      case SQLITE_FLOAT:
        batch.add_real(statement_->real(column));
        break;
      case SQLITE_BLOB:
        batch.add_bytes(CellKind::kBlob, statement_->blob(column));
        break;
      default:
        batch.add_bytes(CellKind::kText, statement_->text(column));
    }
  }
}

void SqliteSource::add_copy_line(std::string& out) const {
  for (int column = 0; column < statement_->columns(); ++column) {
    if (column > 0) out += '\t';
    add_copy_field(column, destination_.columns[static_cast<size_t>(column)].kind, out);
  }
  out += '\n';
}

void SqliteSource::add_copy_field(int column, ColumnKind kind, std::string& out) const {
  switch (statement_->type(column)) {
    case SQLITE_NULL:
      out += kCopyNull;
      break;
    case SQLITE_INTEGER:
      append_integer(statement_->integer(column), out);
      break;
    case SQLITE_FLOAT:
      if (kind == ColumnKind::kText) {
        append_real_as_text(statement_->real(column), out);
      } else {
        append_real(statement_->real(column), out);
      }
      break;
    case SQLITE_BLOB:
      if (kind != ColumnKind::kBytes) {
        refuse(column, "a BLOB, which only a bytea column takes", "CAST(column AS TEXT) in the query, if it is text");
      }
      append_copy_bytes(statement_->blob(column), out);
      break;
    default:
      const auto text = statement_->text(column);
      if (kind == ColumnKind::kBytes) {
        append_copy_bytes(text, out);
      } else if (text.find('\0') != std::string_view::npos) {
        refuse(column, "text with a NUL character, which PostgreSQL cannot hold", "replace(column, char(0), '')");
      } else {
        append_copy_text(text, out);
      }
  }
}

void SqliteSource::refuse(int column, const std::string& what, const std::string& hint) const {
  throw Failure({ErrorCode::kUnexpected,
                 "row " + std::to_string(row_) + ", column " + std::string(statement_->column_name(column)) + ": " +
                     what + "; the destination column is " + destination_.columns[static_cast<size_t>(column)].name,
                 hint});
}

}  // namespace pipekit::jrunner
