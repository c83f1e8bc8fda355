// The two ends of a migration. The reader's thread reads the source, the main thread writes to the sink; each owns its
// connection. Both throw Failure and Interrupted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/jrunner/row_batch.h"

namespace pipekit::jrunner {

enum class RowForm { kCells, kCopyText };

// The properties of a destination column that determine how its values are written.
enum class ColumnKind { kText, kBytes, kOther };

struct DestinationColumn {
  std::string name;
  ColumnKind kind = ColumnKind::kOther;
};

struct Destination {
  std::string table;  // as shown in messages
  RowForm form = RowForm::kCells;
  std::vector<DestinationColumn> columns;
};

class RowSource {
 public:
  RowSource() = default;
  virtual ~RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;

  // The columns of the query, which has not been executed yet.
  [[nodiscard]] virtual size_t columns() const = 0;
  // Executes the query. Its rows are read in the destination's form.
  virtual void start(const Destination& destination) = 0;
  // Adds rows until the batch is full; false when there are no more.
  virtual bool read(RowBatch& batch) = 0;
  // Called after the last row: ends the source's transaction and releases its locks.
  virtual void finish() = 0;
};

class RowSink {
 public:
  RowSink() = default;
  virtual ~RowSink() = default;  // without commit() nothing is written
  RowSink(const RowSink&) = delete;
  RowSink& operator=(const RowSink&) = delete;

  [[nodiscard]] virtual const Destination& destination() const = 0;
  virtual void begin() = 0;
  virtual void write(const RowBatch& batch) = 0;
  virtual void commit() = 0;
};

}  // namespace pipekit::jrunner
