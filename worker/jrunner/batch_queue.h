// Passes row batches from the reader's thread to the writer's, bounded by bytes, so that a fast reader waits. One
// producer, one consumer. Either side may end it.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>

#include "worker/jrunner/row_batch.h"

namespace pipekit::jrunner {

class BatchQueue {
 public:
  // False when the consumer has given up.
  bool push(RowBatch batch);
  // Nothing after the last batch, once the producer has closed.
  std::optional<RowBatch> pop();
  void close();    // producer: no more batches
  void give_up();  // consumer: no more batches are wanted

 private:
  static constexpr size_t kMostBytes = size_t{4} * 1024 * 1024;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<RowBatch> batches_;
  size_t bytes_ = 0;
  bool closed_ = false;
  bool given_up_ = false;
};

}  // namespace pipekit::jrunner
