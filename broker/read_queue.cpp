#include "broker/read_queue.h"

#include <algorithm>
#include <utility>

namespace pipekit {
namespace {

bool is_tail(const ReadJob& job) { return std::holds_alternative<TailRequest>(job.request); }

}  // namespace

bool ReadQueue::has_room_for(const ReadJob& job) const {
  const auto own = waiting_.find(job.who);
  return size_ < kMost && (own == waiting_.end() || own->second.size() < kMostOfOne);
}

void ReadQueue::add(ReadJob job) {
  auto [own, first] = waiting_.try_emplace(job.who);
  if (first) turns_.push_back(job.who);
  auto& jobs = own->second;
  const auto same = [&](const ReadJob& other) { return other.peer == job.peer && is_tail(other); };
  const auto before = is_tail(job) ? std::ranges::find_if(jobs, same) : jobs.end();
  if (before != jobs.end()) {
    *before = std::move(job);
    return;
  }
  jobs.push_back(std::move(job));
  ++size_;
}

void ReadQueue::drop(int64_t id) {
  for (auto own = waiting_.begin(); own != waiting_.end(); ++own) {
    auto& jobs = own->second;
    const auto job = std::ranges::find(jobs, id, &ReadJob::id);
    if (job == jobs.end()) continue;
    jobs.erase(job);
    --size_;
    if (jobs.empty()) {
      std::erase(turns_, own->first);
      waiting_.erase(own);
    }
    return;
  }
}

std::optional<ReadJob> ReadQueue::next() {
  if (turns_.empty()) return std::nullopt;
  const auto who = std::move(turns_.front());
  turns_.pop_front();
  auto& jobs = waiting_.at(who);
  auto job = std::move(jobs.front());
  jobs.pop_front();
  --size_;
  if (jobs.empty()) {
    waiting_.erase(who);
  } else {
    turns_.push_back(who);
  }
  return job;
}

}  // namespace pipekit
