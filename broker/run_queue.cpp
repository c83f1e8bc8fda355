#include "broker/run_queue.h"

namespace pipekit {

void RunQueue::insert(int64_t priority, Lane lane, RunId run) {
  if (!levels_[-priority][lane].insert(run).second) return;
  ++size_;
  ++lengths_[lane];
}

void RunQueue::erase(int64_t priority, Lane lane, RunId run) {
  const auto level = levels_.find(-priority);
  if (level == levels_.end()) return;
  const auto found = level->second.find(lane);
  if (found == level->second.end() || found->second.erase(run) == 0) return;
  --size_;
  if (--lengths_[lane] == 0) {
    lengths_.erase(lane);
    last_turns_.erase(lane);
  }
  if (found->second.empty()) level->second.erase(found);
  if (level->second.empty()) levels_.erase(level);
}

void RunQueue::had_its_turn(Lane lane) {
  if (lengths_.contains(lane)) last_turns_[lane] = ++turns_;
}

RunQueue::Pass::Pass(const RunQueue& queue, std::map<Lane, int64_t> under_way)
    : queue_(queue), level_(queue.levels_.begin()), under_way_(std::move(under_way)) {}

void RunQueue::Pass::begin_level() {
  left_.clear();
  for (const auto& [lane, runs] : level_->second) {
    left_[lane] = {runs.begin(), runs.end()};
    offer_of(lane);
  }
  ++level_;
}

void RunQueue::Pass::offer_of(Lane lane) {
  auto& [next, end] = left_.at(lane);
  if (next == end) return;
  const auto turn = queue_.last_turns_.find(lane);
  offers_.push({under_way_[lane], turn == queue_.last_turns_.end() ? 0 : turn->second, *next++, lane});
}

std::optional<RunId> RunQueue::Pass::next() {
  if (owed_) offer_of(offered_);
  owed_ = false;
  if (offers_.empty()) {
    if (level_ == queue_.levels_.end()) return std::nullopt;
    begin_level();
  }
  const auto offer = offers_.top();
  offers_.pop();
  offered_ = offer.lane;
  owed_ = true;
  return offer.run;
}

}  // namespace pipekit
