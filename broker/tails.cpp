#include "broker/tails.h"

#include <algorithm>

namespace pipekit {
namespace {

constexpr int64_t kBudgetBytes = int64_t{4} * 1024 * 1024;

int64_t size_of(const store::events::Numbered& numbered) {
  int64_t bytes = 0;
  if (const auto* log = std::get_if<LogChunk>(&numbered.chunk)) {
    for (const auto& line : log->lines) bytes += store::events::wire_size(line);
  } else {
    for (const auto& event : std::get<std::vector<Event>>(numbered.chunk)) bytes += store::events::wire_size(event);
  }
  return bytes + 100;
}

}  // namespace

void Tails::committed(store::events::Numbered chunk) {
  last_ = chunk.last;
  sizes_.push_back(size_of(chunk));
  bytes_ += sizes_.back();
  recent_.push_back(std::move(chunk));
  forget_beyond_budget();
}

void Tails::forget_beyond_budget() {
  while (bytes_ > kBudgetBytes && recent_.size() > 1) {
    kept_after_ = recent_.front().last;
    bytes_ -= sizes_.front();
    recent_.pop_front();
    sizes_.pop_front();
  }
}

bool Tails::has_room_for(const std::string& peer, const std::string& who) const {
  if (parked_.contains(peer)) return true;
  const auto of_one = std::ranges::count_if(parked_, [&](const auto& entry) { return entry.second.who == who; });
  return parked_.size() < kMost && of_one < kMostOfOne;
}

Tails::Parking Tails::park(const std::string& peer, const TailRequest& request, MonoTime now, const std::string& key,
                           const std::string& who) {
  if (!has_room_for(peer, who)) return Parking::refused;
  const bool in_memory = request.after >= kept_after_;
  if (!in_memory) {
    parked_.erase(peer);
    return Parking::from_store;
  }
  parked_[peer] = {request, request.follow ? now + kBeat : now, key, who};
  return Parking::parked;
}

void Tails::keep_only(const std::function<bool(const std::string&)>& allowed) {
  std::erase_if(parked_, [&](const auto& entry) { return !entry.second.key.empty() && !allowed(entry.second.key); });
}

MonoTime Tails::ready_at(const std::string& peer, const Parked& parked) const {
  if (parked.request.after >= last_) return parked.beat_at;
  const auto answered = answered_.find(peer);
  const auto gap = answered == answered_.end() ? MonoTime{} : answered->second + kMinGap;
  return std::min(gap, parked.beat_at);
}

Tails::Due Tails::due(MonoTime now) {
  Due due;
  std::erase_if(answered_, [&](const auto& entry) { return entry.second + kMinGap <= now; });
  for (auto it = parked_.begin(); it != parked_.end();) {
    auto& [peer, parked] = *it;
    if (ready_at(peer, parked) > now) {
      ++it;
      continue;
    }
    if (parked.request.after < kept_after_) {
      due.from_store.push_back({peer, parked.who, parked.request});
      it = parked_.erase(it);
      continue;
    }
    auto reply = answer(parked.request);
    const bool beat = reply.events.empty() && reply.logs.empty();
    if (beat && parked.request.follow && parked.beat_at > now) {
      // Nothing of what was committed matched: it need not be looked at again, and nobody need hear of it yet.
      parked.request.after = reply.next;
      ++it;
      continue;
    }
    if (reply.next >= last_) answered_[peer] = now;  // one that has more to get asks on at once
    due.answers.push_back({peer, std::move(reply)});
    it = parked_.erase(it);
  }
  return due;
}

std::optional<MonoTime> Tails::next_due() const {
  std::optional<MonoTime> next;
  for (const auto& [peer, parked] : parked_) {
    const auto at = ready_at(peer, parked);
    next = std::min(next.value_or(at), at);
  }
  return next;
}

std::vector<std::string> Tails::peers() const {
  std::vector<std::string> peers;
  for (const auto& [peer, parked] : parked_) peers.push_back(peer);
  return peers;
}

TailReply Tails::answer(const TailRequest& request) const {
  TailReply reply;
  reply.number = request.number;
  reply.last = last_;
  reply.next = std::min(request.after, last_);
  auto chunk = std::ranges::partition_point(recent_, [&](const auto& c) { return c.last <= request.after; });
  for (int64_t bytes = kAnswerBytes; chunk != recent_.end() && bytes > 0; ++chunk) {
    if (!store::events::collect(*chunk, request.after, request.filter, bytes, reply)) break;
  }
  return reply;
}

}  // namespace pipekit
