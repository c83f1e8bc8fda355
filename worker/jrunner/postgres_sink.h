// Writes rows into one PostgreSQL table: BEGIN, COPY ... FROM STDIN, COMMIT.
#pragma once

#include <string>

#include "worker/jrunner/postgres_connection.h"
#include "worker/jrunner/row_stream.h"

namespace pipekit::jrunner {

class PostgresSink final : public RowSink {
 public:
  PostgresSink(const PostgresTarget& target, const std::string& table, Cancellation& cancellation);

  [[nodiscard]] const Destination& destination() const override { return destination_; }
  void begin() override;
  void write(const RowBatch& batch) override;
  void commit() override;

 private:
  std::string find_table(const std::string& text);
  void read_columns(const std::string& oid);
  void end_copy();

  PostgresConnection connection_;
  Destination destination_{};
  std::string copy_{};
  uint64_t rows_before_copy_ = 0;
  uint64_t rows_ = 0;
  size_t bytes_in_copy_ = 0;
};

}  // namespace pipekit::jrunner
