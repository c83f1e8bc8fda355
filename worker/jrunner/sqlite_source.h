// The rows of one query of an SQLite database.
#pragma once

#include <string_view>

#include "worker/jrunner/row_stream.h"
#include "worker/jrunner/sqlite_connection.h"

namespace pipekit::jrunner {

class SqliteSource final : public RowSource {
 public:
  // `script` holds the one query; Failure (kInvalid) when it holds none, several, or no query.
  SqliteSource(const SqliteTarget& target, std::string_view script, Cancellation& cancellation, SqliteAccess access);

  [[nodiscard]] size_t columns() const override { return static_cast<size_t>(statement_->columns()); }
  void start(const Destination& destination) override { destination_ = destination; }
  bool read(RowBatch& batch) override;
  void finish() override { statement_.reset(); }

 private:
  void add_cells(RowBatch& batch) const;
  void add_copy_line(std::string& out) const;
  void add_copy_field(int column, ColumnKind kind, std::string& out) const;
  [[noreturn]] void refuse(int column, const std::string& what, const std::string& hint) const;

  SqliteConnection connection_;
  std::optional<SqliteStatement> statement_;
  Destination destination_{};
  uint64_t row_ = 0;
};

}  // namespace pipekit::jrunner
