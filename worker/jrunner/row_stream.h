// The two ends of a migration. A source is read by the reader's thread, a sink written by the main one; each owns its
// connection. Both throw Failure and Interrupted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "worker/jrunner/row_batch.h"

namespace pipekit::jrunner {

enum class RowForm { kCells, kCopyText };

// As much of a destination's column as decides how a value is written for it.
enum class ColumnKind { kText, kBytes, kOther };

struct DestinationColumn {
  std::string name;
  ColumnKind kind = ColumnKind::kOther;
};

struct Destination {
  std::string table;  // as a message names it
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
  // Executes the query. Its rows will be in the destination's form.
  virtual void start(const Destination& destination) = 0;
  // Adds rows until the batch is full; false when there are no more.
  virtual bool read(RowBatch& batch) = 0;
  // After the last row: the source's own transaction ends well, and its locks are released.
  virtual void finish() = 0;
};

class RowSink {
 public:
  RowSink() = default;
  virtual ~RowSink() = default;  // without commit(): as if nothing had happened
  RowSink(const RowSink&) = delete;
  RowSink& operator=(const RowSink&) = delete;

  [[nodiscard]] virtual const Destination& destination() const = 0;
  virtual void begin() = 0;
  virtual void write(const RowBatch& batch) = 0;
  virtual void commit() = 0;
};

}  // namespace pipekit::jrunner
