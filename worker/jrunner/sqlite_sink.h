// Writes rows into one SQLite table: BEGIN IMMEDIATE, one prepared INSERT, COMMIT. Values are stored exactly, or
// the load fails with an error that names row and column: when the column's affinity would round a number or change how
// a text is written (SQLite does this silently), and when a numeric column gets something else than a number.
#pragma once

#include <string>
#include <vector>

#include "worker/jrunner/row_stream.h"
#include "worker/jrunner/sqlite_connection.h"

namespace pipekit::jrunner {

enum class Affinity { kInteger, kReal, kNumeric, kText, kNone };

// Determined from the declared type by SQLite's rules. `strict` tables have the type ANY, which converts nothing.
Affinity affinity_of(std::string_view declared_type, bool strict);
// Whether the declared type is the name of a numeric type: INTEGER, DECIMAL(10,2). SQLite also gives a numeric affinity
// to types that it does not know (DATE, STRING) and to names that contain INT (POINT).
bool names_a_number(std::string_view declared_type);

class SqliteSink final : public RowSink {
 public:
  SqliteSink(const SqliteTarget& target, const std::string& table, Cancellation& cancellation);

  [[nodiscard]] const Destination& destination() const override { return destination_; }
  void begin() override;
  void write(const RowBatch& batch) override;
  void commit() override;

 private:
  void find_table(const std::string& text);
  bool read_columns(const SqliteTableName& name);
  void bind(int column, const Cell& cell, const RowBatch& batch);
  void bind_number_text(int column, std::string_view text, bool decimal);
  void bind_text(int column, std::string_view text, bool may_be_number);
  void note_conversion(int column, std::string_view text);
  [[noreturn]] void refuse(int column, const std::string& why, const std::string& hint) const;
  void bind_integer(int column, int64_t value);
  void bind_real(int column, double value);
  [[noreturn]] void refuse_rounding(int column, std::string_view value) const;
  [[noreturn]] void refuse_text(int column, std::string_view text) const;

  SqliteConnection connection_;
  Destination destination_{};
  SqliteTableName name_{};
  std::vector<Affinity> affinities_{};
  std::vector<std::string> declared_{};
  std::vector<bool> numbers_{};  // names_a_number
  std::vector<bool> noted_{};
  std::vector<std::string> formatted_{};  // per column: text created here, valid until step()
  std::optional<SqliteStatement> insert_{};
  uint64_t row_ = 0;
};

}  // namespace pipekit::jrunner
