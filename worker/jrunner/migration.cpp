#include "worker/jrunner/migration.h"

#include <sys/stat.h>

#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <thread>

#include "shared/failpoint.h"
#include "shared/plural.h"
#include "worker/jrunner/batch_queue.h"
#include "worker/jrunner/failure.h"
#include "worker/jrunner/postgres_sink.h"
#include "worker/jrunner/postgres_source.h"
#include "worker/jrunner/spool.h"
#include "worker/jrunner/sqlite_sink.h"
#include "worker/jrunner/sqlite_source.h"

namespace pipekit::jrunner {
namespace {

using std::chrono::steady_clock;

constexpr auto kSource = "source: ";
constexpr auto kDestination = "destination: ";

// A failure of `work` says which side it is from: a worker reports that to people.
template <class Work>
auto on(const char* side, Work work) {
  try {
    return work();
  } catch (const Failure& failure) {
    auto error = failure.error();
    error.message = side + error.message;
    throw Failure(std::move(error));
  }
}

// Prints a line per second about a long transfer. Its form differs from a row count ("N rows" at the end of a line).
class Progress {
 public:
  explicit Progress(StandardOutput& out) : out_(out) {}

  void add(uint64_t rows) {
    rows_ += rows;
    const auto now = steady_clock::now();
    if (now < next_) return;
    next_ = now + kInterval;
    out_.write("progress: " + std::to_string(rows_) + " rows so far\n");
  }
  [[nodiscard]] uint64_t rows() const { return rows_; }

 private:
  static constexpr std::chrono::seconds kInterval{1};

  StandardOutput& out_;
  uint64_t rows_ = 0;
  steady_clock::time_point next_ = steady_clock::now() + kInterval;
};

// The reader's thread. Its failure is reported when it is joined; the cancellation ends its waits.
class Reader {
 public:
  Reader(RowSource& source, const Destination& destination, BatchQueue& queue, Cancellation& cancellation)
      : queue_(queue),
        cancellation_(cancellation),
        thread_([this, &source, &destination] { run(source, destination); }) {}
  ~Reader() { join(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void join() {
    if (thread_.joinable()) thread_.join();
  }
  // After the queue's end or a join: throws what ended the reading early.
  void throw_if_failed() {
    join();
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void run(RowSource& source, const Destination& destination) {
    try {
      on(kSource, [&] { read_all(source, destination); });
    } catch (...) {
      failure_ = std::current_exception();
      cancellation_.request(Cancellation::kOtherSideFailed);  // the writer may be waiting for a lock
    }
    queue_.close();
  }

  void read_all(RowSource& source, const Destination& destination) {
    source.start(destination);
    for (bool more = true; more;) {
      RowBatch batch;
      more = source.read(batch);
      if (batch.rows > 0 && !queue_.push(std::move(batch))) return;
    }
    source.finish();
  }

  BatchQueue& queue_;
  Cancellation& cancellation_;
  std::exception_ptr failure_{};
  std::thread thread_;
};

// Locks the destination only when the first rows are there, or when there are none: a query that runs for an hour
// before its first row blocks nobody.
void write_all(BatchQueue& queue, Reader& reader, RowSink& sink, Progress& progress) {
  auto batch = queue.pop();
  if (!batch) reader.throw_if_failed();
  on(kDestination, [&] { sink.begin(); });
  FAILPOINT("jrunner.load.begun");
  for (; batch; batch = queue.pop()) {
    on(kDestination, [&] { sink.write(*batch); });
    progress.add(batch->rows);
  }
}

void transfer(RowSource& source, RowSink& sink, Cancellation& cancellation, Progress& progress) {
  BatchQueue queue;
  Reader reader(source, sink.destination(), queue, cancellation);
  try {
    write_all(queue, reader, sink, progress);
  } catch (const Interrupted& interrupted) {
    queue.give_up();
    if (interrupted.reason() == Cancellation::kOtherSideFailed) reader.throw_if_failed();
    cancellation.request(interrupted.reason());
    throw;
  } catch (...) {
    queue.give_up();
    cancellation.request(Cancellation::kOtherSideFailed);
    throw;
  }
  reader.throw_if_failed();
}

// Source and destination are one SQLite file: with a rollback journal the writer's commit would wait forever for the
// reader, which is this process. So all rows are read and kept before any is written.
void transfer_through_spool(RowSource& source, RowSink& sink, Cancellation& cancellation, Progress& progress) {
  Spool spool;
  on(kSource, [&] { source.start(sink.destination()); });
  for (bool more = true; more;) {
    cancellation.throw_if_requested();
    RowBatch batch;
    more = on(kSource, [&] { return source.read(batch); });
    const std::array<uint64_t, 3> sizes{batch.rows, batch.cells.size(), batch.bytes.size()};
    spool.append({reinterpret_cast<const char*>(sizes.data()), sizeof sizes});
    spool.append({reinterpret_cast<const char*>(batch.cells.data()), batch.cells.size() * sizeof(Cell)});
    spool.append(batch.bytes);
  }
  on(kSource, [&] { source.finish(); });
  spool.rewind();
  on(kDestination, [&] { sink.begin(); });
  FAILPOINT("jrunner.load.begun");
  std::array<uint64_t, 3> sizes{};
  while (spool.read_exactly(reinterpret_cast<char*>(sizes.data()), sizeof sizes)) {
    RowBatch batch;
    batch.rows = sizes[0];
    batch.cells.resize(sizes[1]);
    batch.bytes.resize(sizes[2]);
    spool.read_exactly(reinterpret_cast<char*>(batch.cells.data()), batch.cells.size() * sizeof(Cell));
    spool.read_exactly(batch.bytes.data(), batch.bytes.size());
    on(kDestination, [&] { sink.write(batch); });
    progress.add(batch.rows);
  }
}

bool same_file(const DatabaseTarget& a, const DatabaseTarget& b) {
  const auto* one = std::get_if<SqliteTarget>(&a);
  const auto* other = std::get_if<SqliteTarget>(&b);
  struct stat first {};
  struct stat second {};
  return one != nullptr && other != nullptr && ::stat(one->file.c_str(), &first) == 0 &&
         ::stat(other->file.c_str(), &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

std::unique_ptr<RowSource> open_source(const Migration& migration, Cancellation& cancellation) {
  if (const auto* sqlite = std::get_if<SqliteTarget>(&migration.source)) {
    return std::make_unique<SqliteSource>(*sqlite, migration.query, cancellation,
                                          migration.read_only ? SqliteAccess::read_only : SqliteAccess::read_write);
  }
  return std::make_unique<PostgresSource>(std::get<PostgresTarget>(migration.source), migration.query, cancellation,
                                          migration.read_only);
}

std::unique_ptr<RowSink> open_sink(const Migration& migration, Cancellation& cancellation) {
  if (const auto* sqlite = std::get_if<SqliteTarget>(&migration.destination)) {
    return std::make_unique<SqliteSink>(*sqlite, migration.table, cancellation);
  }
  return std::make_unique<PostgresSink>(std::get<PostgresTarget>(migration.destination), migration.table, cancellation);
}

void check_columns(size_t query, const Destination& destination) {
  const auto table = destination.columns.size();
  if (query == table) return;
  throw Failure({ErrorCode::kInvalid,
                 "the query has " + count_of(static_cast<int64_t>(query), "column") + " and the table " +
                     destination.table + " has " + std::to_string(table),
                 "rows are loaded by position: the two must have the same number of columns"});
}

}  // namespace

uint64_t migrate(const Migration& migration, Cancellation& cancellation, StandardOutput& out) {
  const auto source = on(kSource, [&] { return open_source(migration, cancellation); });
  const auto sink = on(kDestination, [&] { return open_sink(migration, cancellation); });
  check_columns(source->columns(), sink->destination());
  Progress progress(out);
  if (same_file(migration.source, migration.destination)) {
    transfer_through_spool(*source, *sink, cancellation, progress);
  } else {
    transfer(*source, *sink, cancellation, progress);
  }
  cancellation.throw_if_requested();
  FAILPOINT("jrunner.load.before_commit");
  on(kDestination, [&] { sink->commit(); });
  FAILPOINT("jrunner.load.after_commit");
  return progress.rows();
}

}  // namespace pipekit::jrunner
