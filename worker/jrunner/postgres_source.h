// The rows of one query of a PostgreSQL database, by COPY ... TO STDOUT in one transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/jrunner/postgres_connection.h"
#include "worker/jrunner/row_stream.h"

namespace pipekit::jrunner {

// How values of a type are read for SQLite. kText may be converted to a number. kOpaque is the text that the server
// prints for any other type; numeric columns refuse it. Dates and times are converted to a form that SQLite's functions
// can read, or refused.
enum class PostgresValue { kText, kOpaque, kBoolean, kInteger, kReal, kNumeric, kBytes, kDate, kTime, kTimestamp };
PostgresValue value_of_type(Oid type);
// Converts a date, time or timestamp from the server's ISO form to a form that SQLite's functions can read (+00 becomes
// +00:00). Nothing if there is none: infinity, BC, years after 9999, 24:00:00, offsets with seconds.
std::optional<std::string> sqlite_time(std::string_view text, PostgresValue type);

// Splits one line of COPY's text format, without its line end, into cells. Returns the column with a date or time that
// SQLite's functions cannot read, if there is one. Pure.
std::optional<size_t> append_copy_cells(std::string_view line, const std::vector<PostgresValue>& types,
                                        RowBatch& batch);

class PostgresSource final : public RowSource {
 public:
  // `script` holds the one query; Failure (kInvalid) when it holds none, several, or no query.
  PostgresSource(const PostgresTarget& target, std::string_view script, Cancellation& cancellation, bool read_only);

  [[nodiscard]] size_t columns() const override { return types_.size(); }
  void start(const Destination& destination) override;
  bool read(RowBatch& batch) override;
  void finish() override { connection_.execute("COMMIT"); }

 private:
  PostgresConnection connection_;
  std::string query_;
  [[noreturn]] void refuse_time(size_t column, std::string_view line) const;
  void learn_types(const PGresult* description);

  std::vector<PostgresValue> types_{};
  std::vector<std::string> names_{};
  uint64_t row_ = 0;
  RowForm form_ = RowForm::kCells;
};

}  // namespace pipekit::jrunner
