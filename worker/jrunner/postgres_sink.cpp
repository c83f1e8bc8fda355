#include "worker/jrunner/postgres_sink.h"

#include <string_view>

#include "worker/jrunner/failure.h"

namespace pipekit::jrunner {
namespace {

// While a COPY runs, libpq does not report that the server has aborted it. So it is ended and started again after so
// many bytes: a failed load is noticed then and not after the last row.
constexpr size_t kBytesInOneCopy = size_t{16} * 1024 * 1024;

ColumnKind kind_of(std::string_view kind) {
  if (kind == "text") return ColumnKind::kText;
  return kind == "bytes" ? ColumnKind::kBytes : ColumnKind::kOther;
}

}  // namespace

PostgresSink::PostgresSink(const PostgresTarget& target, const std::string& table, Cancellation& cancellation)
    : connection_(target, cancellation) {
  destination_.table = table;
  destination_.form = RowForm::kCopyText;
  connection_.execute("BEGIN");
  read_columns(find_table(table));
  connection_.execute("COMMIT");
}

// The name is read as in a statement: parts without quotes are folded to lower case.
std::string PostgresSink::find_table(const std::string& text) {
  const auto found = connection_.execute("SELECT to_regclass($1)::oid, to_regclass($1)::text", {text});
  if (PQgetisnull(found.get(), 0, 0) != 0) {
    throw Failure({ErrorCode::kNotFound, "no such table in the destination database: " + text,
                   "the destination table must exist before the transfer; names in mixed case need double quotes"});
  }
  copy_ = std::string("COPY ") + PQgetvalue(found.get(), 0, 1);
  return PQgetvalue(found.get(), 0, 0);
}

// A domain has its base type's output function, so this also identifies domains.
void PostgresSink::read_columns(const std::string& oid) {
  const auto columns = connection_.execute(
      "SELECT a.attname, quote_ident(a.attname), CASE WHEN t.typoutput = 'byteaout'::regproc THEN 'bytes' "
      "WHEN t.typcategory = 'S' THEN 'text' ELSE 'other' END FROM pg_attribute AS a JOIN pg_type AS t "
      "ON t.oid = a.atttypid WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped "
      "AND a.attgenerated = '' ORDER BY a.attnum",
      {oid});
  std::string names;
  for (int i = 0; i < PQntuples(columns.get()); ++i) {
    destination_.columns.push_back({PQgetvalue(columns.get(), i, 0), kind_of(PQgetvalue(columns.get(), i, 2))});
    names += (names.empty() ? "" : ", ") + std::string(PQgetvalue(columns.get(), i, 1));
  }
  copy_ += " (" + names + ") FROM STDIN";
}

void PostgresSink::begin() {
  connection_.execute("BEGIN");
  connection_.start_copy(copy_, PGRES_COPY_IN);
}

void PostgresSink::write(const RowBatch& batch) {
  if (bytes_in_copy_ >= kBytesInOneCopy) {
    end_copy();
    connection_.start_copy(copy_, PGRES_COPY_IN);
  }
  connection_.write_copy(batch.bytes);
  bytes_in_copy_ += batch.bytes.size();
  rows_ += batch.rows;
}

// The server counts lines from the start of each COPY; the message says at which row that was.
void PostgresSink::end_copy() {
  try {
    connection_.end_copy();
  } catch (const Failure& failure) {
    auto error = failure.error();
    if (rows_before_copy_ > 0) error.message += "\nline 1 is row " + std::to_string(rows_before_copy_ + 1);
    throw Failure(std::move(error));
  }
  rows_before_copy_ = rows_;
  bytes_in_copy_ = 0;
}

// If the answer to COMMIT is not COMMIT, it rolled back; without an answer it may have been committed.
void PostgresSink::commit() {
  end_copy();
  try {
    const auto result = connection_.execute("COMMIT");
    if (std::string_view(PQcmdStatus(result.get())) == "COMMIT") return;
  } catch (const Failure& failure) {
    auto error = failure.error();
    if (error.code == ErrorCode::kUnavailable) {
      error.message = "whether the rows were committed is not known: " + error.message;
    }
    throw Failure(std::move(error));
  }
  throw Failure({ErrorCode::kUnexpected, "the server rolled the transfer back instead of committing it"});
}

}  // namespace pipekit::jrunner
