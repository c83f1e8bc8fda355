#include "worker/outbox.h"

namespace pipekit::worker {

void Outbox::add(RunKey key, int64_t seq, bool final, Frames frames) {
  facts_[key].push_back({seq, final, std::move(frames)});
}

bool Outbox::acknowledged(RunKey key, int64_t seq) {
  const auto found = facts_.find(key);
  if (found == facts_.end()) return false;
  auto& queue = found->second;
  bool over = false;
  while (!queue.empty() && queue.front().seq <= seq) {
    over = over || queue.front().final;
    queue.pop_front();
  }
  if (queue.empty()) facts_.erase(found);
  return over;
}

std::vector<const Frames*> Outbox::open() const {
  std::vector<const Frames*> frames;
  for (const auto& [key, queue] : facts_) {
    for (const auto& entry : queue) frames.push_back(&entry.frames);
  }
  return frames;
}

}  // namespace pipekit::worker
