#include "worker/jrunner/sqlite_sink.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "shared/say.h"
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

bool names_a_number(std::string_view declared_type) {
  static constexpr std::array<std::string_view, 26> kNames{
      "INT",     "INTEGER", "TINYINT", "SMALLINT", "MEDIUMINT", "BIGINT", "INT2",    "INT4",    "INT8",
      "INT16",   "INT32",   "INT64",   "SERIAL",   "BIGSERIAL", "NUM",    "NUMERIC", "NUMBER",  "DEC",
      "DECIMAL", "REAL",    "FLOAT",   "FLOAT4",   "FLOAT8",    "DOUBLE", "MONEY",   "CURRENCY"};
  std::string word;
  for (const char c : std::string(declared_type) + ' ') {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      word += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      continue;
    }
    if (std::ranges::find(kNames, word) != kNames.end()) return true;
    word.clear();
  }
  return false;
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
  noted_.resize(affinities_.size());
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
    declared_.emplace_back(query->text(1));
    numbers_.push_back(numeric(affinities_.back()) && names_a_number(query->text(1)));
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
      if (numbers_[static_cast<size_t>(column)]) {
        refuse(column, "a BLOB is not a number", "convert it in the query, or declare the column BLOB");
      }
      return insert_->bind_blob(column, batch.view(cell));
    case CellKind::kText:
    case CellKind::kOpaque:
      return bind_text(column, batch.view(cell), cell.kind == CellKind::kText);
    case CellKind::kDecimal:
      if (affinity != Affinity::kText) return bind_number_text(column, batch.view(cell), true);
      return insert_->bind(column, batch.view(cell));
  }
}

// A column of numbers takes text that is a number's. Any other column of a numeric affinity (STRING, DATE) takes all
// text, but SQLite would make a number of some: 007 becomes 7.
void SqliteSink::bind_text(int column, std::string_view text, bool may_be_number) {
  const auto index = static_cast<size_t>(column);
  if (!numeric(affinities_[index])) return insert_->bind(column, text);
  if (numbers_[index]) {
    if (!may_be_number) refuse_text(column, text);
    return bind_number_text(column, text, false);
  }
  if (std::holds_alternative<NotANumber>(exact_number(text))) return insert_->bind(column, text);
  if (loses_its_spelling(text)) {
    refuse(column,
           "SQLite would turn the text '" + std::string(text) +
               "' into a number and lose how it is written, because the "
               "column is declared " +
               declared_[index],
           "declare the column TEXT");
  }
  note_conversion(column, text);
  bind_number_text(column, text, false);
}

void SqliteSink::note_conversion(int column, std::string_view text) {
  const auto index = static_cast<size_t>(column);
  if (noted_[index]) return;
  noted_[index] = true;
  say("warning: row " + std::to_string(row_) + ", column " + destination_.columns[index].name +
      ": SQLite stores the text '" + std::string(text) + "' as a number, because the column is declared " +
      declared_[index] + "; declare it TEXT\n");
}

// What a numeric column would convert is converted here, where a loss is seen. In a column that converts nothing, a
// decimal becomes a number when it can and stays text when not.
void SqliteSink::bind_number_text(int column, std::string_view text, bool decimal) {
  const auto number = exact_number(text);
  if (const auto* integer = std::get_if<int64_t>(&number)) return bind_integer(column, *integer);
  if (const auto* real = std::get_if<double>(&number)) return bind_real(column, *real);
  const bool kept = affinities_[static_cast<size_t>(column)] == Affinity::kNone;
  if (std::holds_alternative<Inexact>(number) && !kept) refuse_rounding(column, text);
  if (decimal && text == "Infinity") return insert_->bind(column, HUGE_VAL);
  if (decimal && text == "-Infinity") return insert_->bind(column, -HUGE_VAL);
  if (numbers_[static_cast<size_t>(column)]) refuse_text(column, text);
  insert_->bind(column, text);
}

void SqliteSink::bind_integer(int column, int64_t value) {
  if (affinities_[static_cast<size_t>(column)] == Affinity::kReal && !fits_double(value)) {
    refuse_rounding(column, std::to_string(value));
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

void SqliteSink::refuse(int column, const std::string& why, const std::string& hint) const {
  throw Failure({ErrorCode::kUnexpected,
                 "row " + std::to_string(row_) + ", column " + destination_.columns[static_cast<size_t>(column)].name +
                     ": " + why,
                 hint});
}

void SqliteSink::refuse_rounding(int column, std::string_view value) const {
  refuse(column, "SQLite would round " + std::string(value) + " to the digits of a double",
         "declare the column TEXT, or round in the query");
}

void SqliteSink::refuse_text(int column, std::string_view text) const {
  constexpr size_t kShown = 60;
  const auto& name = destination_.columns[static_cast<size_t>(column)].name;
  const auto shown = std::string(text.substr(0, kShown)) + (text.size() > kShown ? "…" : "");
  refuse(column,
         "'" + shown + "' is not a number, and the column is declared " + declared_[static_cast<size_t>(column)],
         "convert it in the query (from PostgreSQL " + name + "::numeric, or NULLIF(" + name + ", 'NaN'); NULLIF(" +
             name + ", '') for empty text), or declare the column TEXT");
}

}  // namespace pipekit::jrunner
