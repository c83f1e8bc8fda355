#include "worker/jrunner/sqlite_sink.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "worker/jrunner/failure.h"
#include "worker/jrunner/number_text.h"

namespace pipekit::jrunner {
namespace {

bool numeric(Affinity affinity) { return affinity != Affinity::kText && affinity != Affinity::kNone; }

}  // namespace

Affinity affinity_of(std::string_view declared_type, bool strict) {
  std::string type(declared_type);
  std::ranges::transform(type, type.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto has = [&](const char* part) { return type.find(part) != std::string::npos; };
  if (strict && type == "ANY") return Affinity::kNone;
  if (has("INT")) return Affinity::kInteger;
  if (has("CHAR") || has("CLOB") || has("TEXT")) return Affinity::kText;
  if (type.empty() || has("BLOB")) return Affinity::kNone;
  if (has("REAL") || has("FLOA") || has("DOUB")) return Affinity::kReal;
  return Affinity::kNumeric;
}

SqliteSink::SqliteSink(const SqliteTarget& target, const std::string& table, Cancellation& cancellation)
    : connection_(target, cancellation) {
  if (connection_.read_only()) {
    throw Failure({ErrorCode::kUnavailable, connection_.path() + " is read-only", "the destination must be writable"});
  }
  destination_.table = table;
  destination_.form = RowForm::kCells;
  find_table(table);
  formatted_.resize(affinities_.size());
}

// A name with a dot is a schema and a table, unless only a table is called so.
void SqliteSink::find_table(const std::string& text) {
  name_ = parse_sqlite_table(text);
  if (read_columns(name_)) return;
  name_ = {"", text};
  if (read_columns(name_)) return;
  throw Failure({ErrorCode::kNotFound, "no such table in " + connection_.path() + ": " + text,
                 "the destination table must exist before the transfer"});
}

bool SqliteSink::read_columns(const SqliteTableName& name) {
  constexpr std::string_view kColumns =
      "SELECT x.name, x.type, coalesce((SELECT strict FROM pragma_table_list(?1) WHERE schema = coalesce(?2, 'main')), "
      "0), x.hidden FROM pragma_table_xinfo(?1, ?2) AS x WHERE x.hidden <> 1";
  if (!name.schema.empty()) {  // of an unknown schema the query below would be an error
    auto schema = connection_.prepare("SELECT 1 FROM pragma_database_list WHERE name = ?1 COLLATE NOCASE");
    schema->bind(0, std::string_view(name.schema));
    if (!schema->step()) return false;
  }
  auto query = connection_.prepare(kColumns);
  query->bind(0, std::string_view(name.table));
  if (name.schema.empty()) {
    query->bind_null(1);
  } else {
    query->bind(1, std::string_view(name.schema));
  }
  bool found = false;
  while (query->step()) {
    found = true;
    if (query->integer(3) != 0) continue;  // generated: not to be written
    destination_.columns.push_back({std::string(query->text(0))});
    affinities_.push_back(affinity_of(query->text(1), query->integer(2) != 0));
  }
  return found;
}

void SqliteSink::begin() {
  connection_.execute("BEGIN IMMEDIATE");
  std::string names;
  std::string marks;
  for (const auto& column : destination_.columns) {
    names += (names.empty() ? "" : ", ") + quoted_identifier(column.name);
    marks += marks.empty() ? "?" : ", ?";
  }
  const auto schema = name_.schema.empty() ? std::string() : quoted_identifier(name_.schema) + ".";
  insert_ = connection_.prepare("INSERT INTO " + schema + quoted_identifier(name_.table) + " (" + names + ") VALUES (" +
                                marks + ")");
}

void SqliteSink::write(const RowBatch& batch) {
  const auto columns = static_cast<int>(affinities_.size());
  const Cell* cell = batch.cells.data();
  for (uint64_t i = 0; i < batch.rows; ++i) {
    ++row_;
    for (int column = 0; column < columns; ++column) bind(column, *cell++, batch);
    try {
      insert_->step();
    } catch (const Failure& failure) {
      auto error = failure.error();
      error.message = "row " + std::to_string(row_) + ": " + error.message;
      throw Failure(std::move(error));
    }
    insert_->reset();
  }
}

void SqliteSink::commit() {
  insert_.reset();
  connection_.execute("COMMIT");
}

void SqliteSink::bind(int column, const Cell& cell, const RowBatch& batch) {
  const auto affinity = affinities_[static_cast<size_t>(column)];
  switch (cell.kind) {
    case CellKind::kNull:
      return insert_->bind_null(column);
    case CellKind::kInteger:
      return bind_integer(column, cell.integer);
    case CellKind::kReal:
      return bind_real(column, cell.real);
    case CellKind::kBlob:
      return insert_->bind_blob(column, batch.view(cell));
    case CellKind::kText:
      if (numeric(affinity)) return bind_number_text(column, batch.view(cell), false);
      return insert_->bind(column, batch.view(cell));
    case CellKind::kDecimal:
      if (affinity != Affinity::kText) return bind_number_text(column, batch.view(cell), true);
      return insert_->bind(column, batch.view(cell));
  }
}

// What a numeric column would convert is converted here, where a loss is seen. In a column that converts nothing, a
// decimal becomes a number when it can and stays text when not.
void SqliteSink::bind_number_text(int column, std::string_view text, bool decimal) {
  const auto number = exact_number(text);
  if (const auto* integer = std::get_if<int64_t>(&number)) return bind_integer(column, *integer);
  if (const auto* real = std::get_if<double>(&number)) return bind_real(column, *real);
  const bool kept = affinities_[static_cast<size_t>(column)] == Affinity::kNone;
  if (std::holds_alternative<Inexact>(number) && !kept) refuse(column, text);
  if (decimal && text == "Infinity") return insert_->bind(column, HUGE_VAL);
  if (decimal && text == "-Infinity") return insert_->bind(column, -HUGE_VAL);
  insert_->bind(column, text);
}

void SqliteSink::bind_integer(int column, int64_t value) {
  if (affinities_[static_cast<size_t>(column)] == Affinity::kReal && !fits_double(value)) {
    refuse(column, std::to_string(value));
  }
  insert_->bind(column, value);
}

// SQLite writes a double into a text column with 15 digits, which is fewer than it may have.
void SqliteSink::bind_real(int column, double value) {
  if (affinities_[static_cast<size_t>(column)] != Affinity::kText) return insert_->bind(column, value);
  auto& text = formatted_[static_cast<size_t>(column)];
  text.clear();
  append_real_as_text(value, text);
  insert_->bind(column, std::string_view(text));
}

void SqliteSink::refuse(int column, std::string_view value) const {
  throw Failure({ErrorCode::kUnexpected,
                 "row " + std::to_string(row_) + ", column " + destination_.columns[static_cast<size_t>(column)].name +
                     ": SQLite would round " + std::string(value) + " to the digits of a double",
                 "declare the column TEXT, or round in the query"});
}

}  // namespace pipekit::jrunner
