#include "broker/requests_under_way.h"

#include <algorithm>
#include <utility>

namespace pipekit {

bool RequestsUnderWay::asked_again(const RequestIdentity& identity, const std::string& peer) {
  const auto known = ids_.find(identity);
  if (known == ids_.end()) return false;
  open_.at(known->second).peer = peer;
  return true;
}

bool RequestsUnderWay::has_room_for(const std::string& who, size_t bytes) const {
  if (open_.size() >= kMost || bytes_ + bytes > kMostBytes) return false;
  const auto own = load_.find(who);
  return own == load_.end() || (own->second.requests < kMostOfOne && own->second.bytes + bytes <= kMostBytesOfOne);
}

int64_t RequestsUnderWay::begin(Asker asker, MonoTime now) {
  asker.beat_at = now + kBeat;
  auto& load = load_[asker.who];
  ++load.requests;
  load.bytes += asker.bytes;
  bytes_ += asker.bytes;
  ids_[asker.identity] = ++last_id_;
  open_.emplace(last_id_, std::move(asker));
  return last_id_;
}

const RequestsUnderWay::Asker* RequestsUnderWay::find(int64_t id) const {
  const auto found = open_.find(id);
  return found == open_.end() ? nullptr : &found->second;
}

std::optional<RequestsUnderWay::Asker> RequestsUnderWay::end(int64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return std::nullopt;
  auto asker = std::move(found->second);
  open_.erase(found);
  ids_.erase(asker.identity);
  bytes_ -= asker.bytes;
  const auto load = load_.find(asker.who);
  load->second.bytes -= asker.bytes;
  if (--load->second.requests == 0) load_.erase(load);
  return asker;
}

std::vector<int64_t> RequestsUnderWay::peer_gone(const std::string& peer) {
  std::vector<int64_t> gone;
  for (const auto& [id, asker] : open_) {
    if (asker.peer == peer) gone.push_back(id);
  }
  for (const auto id : gone) end(id);
  return gone;
}

std::vector<RequestsUnderWay::Beat> RequestsUnderWay::beats_due(MonoTime now) {
  std::vector<Beat> due;
  for (auto& [id, asker] : open_) {
    if (asker.beat_at > now) continue;
    asker.beat_at = now + kBeat;
    due.push_back({asker.peer, asker.identity.number});
  }
  return due;
}

std::optional<MonoTime> RequestsUnderWay::next_due() const {
  std::optional<MonoTime> next;
  for (const auto& [id, asker] : open_) next = std::min(next.value_or(asker.beat_at), asker.beat_at);
  return next;
}

}  // namespace pipekit
