#include "worker/jrunner/batch_queue.h"

#include <utility>

namespace pipekit::jrunner {

// A batch larger than the bound (one huge row) still passes, alone.
bool BatchQueue::push(RowBatch batch) {
  std::unique_lock lock(mutex_);
  const auto size = batch.footprint();
  changed_.wait(lock, [&] { return given_up_ || batches_.empty() || bytes_ + size <= kMostBytes; });
  if (given_up_) return false;
  bytes_ += size;
  batches_.push_back(std::move(batch));
  changed_.notify_all();
  return true;
}

std::optional<RowBatch> BatchQueue::pop() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return closed_ || !batches_.empty(); });
  if (batches_.empty()) return std::nullopt;
  auto batch = std::move(batches_.front());
  batches_.pop_front();
  bytes_ -= batch.footprint();
  changed_.notify_all();
  return batch;
}

void BatchQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

void BatchQueue::give_up() {
  const std::lock_guard lock(mutex_);
  given_up_ = true;
  changed_.notify_all();
}

}  // namespace pipekit::jrunner
