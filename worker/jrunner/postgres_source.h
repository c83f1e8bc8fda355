// The rows of one query of a PostgreSQL database, by COPY ... TO STDOUT in one transaction.
#pragma once

#include <string_view>
#include <vector>

#include "worker/jrunner/postgres_connection.h"
#include "worker/jrunner/row_stream.h"

namespace pipekit::jrunner {

// How a value of a type is read for SQLite; text is kept as the server prints it.
enum class PostgresValue { kText, kBoolean, kInteger, kReal, kNumeric, kBytes };
PostgresValue value_of_type(Oid type);

// Takes one line of COPY's text format apart, without its line end. Pure.
void append_copy_cells(std::string_view line, const std::vector<PostgresValue>& types, RowBatch& batch);

class PostgresSource final : public RowSource {
 public:
  // `script` holds the one query; Failure (kInvalid) when it holds none, several, or no query.
  PostgresSource(const PostgresTarget& target, std::string_view script, Cancellation& cancellation);

  [[nodiscard]] size_t columns() const override { return types_.size(); }
  void start(const Destination& destination) override;
  bool read(RowBatch& batch) override;
  void finish() override { connection_.execute("COMMIT"); }

 private:
  PostgresConnection connection_;
  std::string query_;
  std::vector<PostgresValue> types_{};
  RowForm form_ = RowForm::kCells;
};

}  // namespace pipekit::jrunner
