// Writes rows into one SQLite table: BEGIN IMMEDIATE, one prepared INSERT, COMMIT. Values keep their exact value, or
// the load fails: where the column's affinity would round a number (SQLite does so silently), the row and the column
// are named.
#pragma once

#include <string>
#include <vector>

#include "worker/jrunner/row_stream.h"
#include "worker/jrunner/sqlite_connection.h"

namespace pipekit::jrunner {

enum class Affinity { kInteger, kReal, kNumeric, kText, kNone };

// By the declared type, as SQLite's own rules; `strict` tables know the type ANY, which converts nothing.
Affinity affinity_of(std::string_view declared_type, bool strict);

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
  void bind_integer(int column, int64_t value);
  void bind_real(int column, double value);
  [[noreturn]] void refuse(int column, std::string_view value) const;

  SqliteConnection connection_;
  Destination destination_{};
  SqliteTableName name_{};
  std::vector<Affinity> affinities_{};
  std::vector<std::string> formatted_{};  // of a column: text made here, alive until the step
  std::optional<SqliteStatement> insert_{};
  uint64_t row_ = 0;
};

}  // namespace pipekit::jrunner
