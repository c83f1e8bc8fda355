#include "worker/jrunner/postgres_source.h"

#include <algorithm>
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
  const auto reads = [&](auto& number) {
    const auto parsed = std::from_chars(text.data(), end, number);
    return parsed.ec == std::errc{} && parsed.ptr == end;
  };
  int64_t integer = 0;
  double real = 0;
  if (type == PostgresValue::kInteger && reads(integer)) {
    batch.add_integer(integer);
  } else if (type == PostgresValue::kReal && text != "NaN" && reads(real)) {
    batch.add_real(real);
  } else {
    batch.add_bytes(CellKind::kDecimal, text);
  }
}

void append_text(std::string_view field, PostgresValue type, RowBatch& batch) {
  const auto text = type == PostgresValue::kText ? CellKind::kText : CellKind::kOpaque;
  batch.add_bytes(type == PostgresValue::kBytes ? CellKind::kBlob : text, {});
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
    case 20:    // int8
    case 21:    // int2
    case 23:    // int4
    case 26:    // oid
    case 28:    // xid
    case 29:    // cid
    case 5069:  // xid8
      return PostgresValue::kInteger;
    case 700:  // float4
    case 701:
      return PostgresValue::kReal;
    case 1700:
      return PostgresValue::kNumeric;
    case 18:    // "char"
    case 19:    // name
    case 25:    // text
    case 705:   // unknown
    case 1042:  // char(n)
    case 1043:  // varchar
    case 2275:  // cstring
      return PostgresValue::kText;
    case 1082:
      return PostgresValue::kDate;
    case 1083:  // time
    case 1266:  // timetz
      return PostgresValue::kTime;
    case 1114:  // timestamp
    case 1184:  // timestamptz
      return PostgresValue::kTimestamp;
    default:
      return PostgresValue::kOpaque;
  }
}

std::optional<std::string> sqlite_time(std::string_view text, PostgresValue type) {
  const bool dated = type != PostgresValue::kTime;
  constexpr size_t kDateSize = 10;  // a year of five digits is longer; infinity has no digits; BC ends it
  const bool begins = !text.empty() && text.front() >= '0' && text.front() <= '9';
  if (!begins || text.ends_with("BC") || (dated && (text.size() < kDateSize || text[4] != '-'))) return std::nullopt;
  if (type == PostgresValue::kDate) return text.size() == kDateSize ? std::optional(std::string(text)) : std::nullopt;
  const auto clock = text.substr(dated ? std::min(kDateSize + 1, text.size()) : 0);
  if (clock.starts_with("24:")) return std::nullopt;
  std::string result(text);
  const auto sign = clock.find_first_of("+-");
  if (sign == std::string_view::npos) return result;
  const auto offset = clock.substr(sign + 1);
  if (offset.size() == 2) return result + ":00";
  return offset.size() == 5 ? std::optional(result) : std::nullopt;
}

std::optional<size_t> append_copy_cells(std::string_view line, const std::vector<PostgresValue>& types,
                                        RowBatch& batch) {
  CopyLineReader fields(line);
  for (size_t column = 0; column < types.size(); ++column) {
    const auto type = types[column];
    const auto field = fields.next().value_or(kCopyNull);
    if (field == kCopyNull) {
      batch.add_null();
    } else if (type == PostgresValue::kBoolean) {
      batch.add_integer(field == "t" ? 1 : 0);
    } else if (type >= PostgresValue::kDate) {
      const auto time = sqlite_time(field, type);
      if (!time) return column;
      batch.add_bytes(CellKind::kOpaque, *time);
    } else if (type == PostgresValue::kText || type == PostgresValue::kOpaque || type == PostgresValue::kBytes) {
      append_text(field, type, batch);
    } else {
      append_number(field, type, batch);
    }
  }
  ++batch.rows;
  return std::nullopt;
}

// One transaction from here on, so that the described columns are the ones that are copied.
PostgresSource::PostgresSource(const PostgresTarget& target, std::string_view script, Cancellation& cancellation,
                               bool read_only)
    : connection_(target, cancellation), query_(only_query(connection_, script)) {
  connection_.execute(read_only ? "BEGIN READ ONLY" : "BEGIN");
  const auto description = connection_.describe(query_);
  const int columns = PQnfields(description.get());
  if (columns == 0) not_one_query("has a statement that returns no rows: " + first_line(query_));
  learn_types(description.get());
}

// Types from extensions and users: those of the categories string and number are text that may be a number.
void PostgresSource::learn_types(const PGresult* description) {
  constexpr Oid kFirstOfUsers = 16384;
  for (int i = 0; i < PQnfields(description); ++i) {
    const auto type = PQftype(description, i);
    names_.emplace_back(PQfname(description, i));
    types_.push_back(value_of_type(type));
    if (type < kFirstOfUsers) continue;
    const auto category = connection_.execute(
        "SELECT 1 FROM pg_catalog.pg_type WHERE oid = $1::oid AND typcategory IN ('S', 'N')", {std::to_string(type)});
    if (PQntuples(category.get()) > 0) types_.back() = PostgresValue::kText;
  }
}

void PostgresSource::refuse_time(size_t column, std::string_view line) const {
  CopyLineReader fields(line);
  std::string_view value;
  for (size_t i = 0; i <= column; ++i) value = fields.next().value_or("");
  throw Failure({ErrorCode::kUnexpected,
                 "row " + std::to_string(row_ + 1) + ", column " + names_[column] + ": " + std::string(value) +
                     " is not a date or time that SQLite's functions can read",
                 "replace it in the query, for example NULLIF(" + names_[column] +
                     ", 'infinity'); or copy it as text: CAST(" + names_[column] + " AS text)"});
}

// The line ends prevent a comment at the query's end from hiding the parenthesis.
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
      const auto row = line.substr(0, line.size() - 1);
      if (const auto unreadable = append_copy_cells(row, types_, batch)) refuse_time(*unreadable, row);
      ++row_;
    }
  }
  return true;
}

}  // namespace pipekit::jrunner
