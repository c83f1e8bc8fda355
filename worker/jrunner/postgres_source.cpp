#include "worker/jrunner/postgres_source.h"

#include <charconv>

#include "worker/jrunner/copy_text.h"
#include "worker/jrunner/failure.h"
#include "worker/jrunner/number_text.h"
#include "worker/jrunner/sql_script.h"

namespace pipekit::jrunner {
namespace {

[[noreturn]] void not_one_query(const std::string& what) {
  throw Failure({ErrorCode::kInvalid, "source_query must be exactly one SELECT: it " + what});
}

bool standard_strings(const PostgresConnection& connection) {
  const char* setting = PQparameterStatus(connection.handle(), "standard_conforming_strings");
  return setting == nullptr || std::string_view(setting) == "on";
}

std::string only_query(const PostgresConnection& connection, std::string_view script) {
  const auto statements = split_sql(script, SqlDialect::postgresql, standard_strings(connection));
  if (statements.empty()) not_one_query("has no statement");
  if (statements.size() > 1) {
    not_one_query("has more than one statement; the second is: " +
                  first_line(statements[1].text.substr(statements[1].code)));
  }
  return std::string(statements[0].text);
}

void append_number(std::string_view text, PostgresValue type, RowBatch& batch) {
  const auto* end = text.data() + text.size();
  int64_t integer = 0;
  double real = 0;
  if (type == PostgresValue::kInteger && std::from_chars(text.data(), end, integer).ptr == end) {
    batch.add_integer(integer);
  } else if (type == PostgresValue::kReal && text != "NaN" && std::from_chars(text.data(), end, real).ptr == end) {
    batch.add_real(real);
  } else {
    batch.add_bytes(CellKind::kDecimal, text);
  }
}

void append_text(std::string_view field, PostgresValue type, RowBatch& batch) {
  batch.add_bytes(type == PostgresValue::kBytes ? CellKind::kBlob : CellKind::kText, {});
  auto& cell = batch.cells.back();
  if (type == PostgresValue::kBytes) {
    append_hex_bytes(field.substr(field.empty() ? 0 : 1), batch.bytes);  // without COPY's escape of the backslash
  } else {
    append_unescaped(field, batch.bytes);
  }
  cell.size = batch.bytes.size() - cell.offset;
}

}  // namespace

PostgresValue value_of_type(Oid type) {
  switch (type) {
    case 16:
      return PostgresValue::kBoolean;
    case 17:
      return PostgresValue::kBytes;
    case 20:  // int8
    case 21:  // int2
    case 23:  // int4
    case 26:
      return PostgresValue::kInteger;  // oid
    case 700:                          // float4
    case 701:
      return PostgresValue::kReal;
    case 1700:
      return PostgresValue::kNumeric;
    default:
      return PostgresValue::kText;
  }
}

void append_copy_cells(std::string_view line, const std::vector<PostgresValue>& types, RowBatch& batch) {
  CopyLineReader fields(line);
  for (const auto type : types) {
    const auto field = fields.next().value_or(kCopyNull);
    if (field == kCopyNull) {
      batch.add_null();
    } else if (type == PostgresValue::kBoolean) {
      batch.add_integer(field == "t" ? 1 : 0);
    } else if (type == PostgresValue::kText || type == PostgresValue::kBytes) {
      append_text(field, type, batch);
    } else {
      append_number(field, type, batch);
    }
  }
  ++batch.rows;
}

// In one transaction from here on, so that the columns which were described are those that are copied.
PostgresSource::PostgresSource(const PostgresTarget& target, std::string_view script, Cancellation& cancellation)
    : connection_(target, cancellation), query_(only_query(connection_, script)) {
  connection_.execute("BEGIN");
  const auto description = connection_.describe(query_);
  const int columns = PQnfields(description.get());
  if (columns == 0) not_one_query("has a statement that returns no rows: " + first_line(query_));
  for (int i = 0; i < columns; ++i) types_.push_back(value_of_type(PQftype(description.get(), i)));
}

// The line ends keep a comment at the query's end from taking the parenthesis with it.
void PostgresSource::start(const Destination& destination) {
  form_ = destination.form;
  connection_.start_copy("COPY (\n" + query_ + "\n) TO STDOUT", PGRES_COPY_OUT);
}

bool PostgresSource::read(RowBatch& batch) {
  while (!batch.full()) {
    const auto line = connection_.read_copy_line();
    if (line.empty()) return false;
    if (form_ == RowForm::kCopyText) {
      batch.bytes += line;
      ++batch.rows;
    } else {
      append_copy_cells(line.substr(0, line.size() - 1), types_, batch);
    }
  }
  return true;
}

}  // namespace pipekit::jrunner
