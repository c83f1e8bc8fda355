#include "broker/tasks.h"

#include <algorithm>

namespace pipekit {

bool Tasks::asked_again(const RequestIdentity& identity, const std::string& peer) {
  for (auto& [id, asker] : open_) {
    if (asker.identity != identity) continue;
    asker.peer = peer;
    return true;
  }
  return false;
}

bool Tasks::has_room_for(const std::string& who) const {
  const auto own = std::ranges::count_if(open_, [&](const auto& entry) { return entry.second.who == who; });
  return open_.size() < kMost && own < kMostOfOne;
}

int64_t Tasks::open_at(const std::string& worker) const {
  return std::ranges::count_if(open_, [&](const auto& entry) { return entry.second.worker == worker; });
}

int64_t Tasks::begin(Asker asker, MonoTime now) {
  asker.deadline = now + kLimit;
  open_.emplace(++last_id_, std::move(asker));
  return last_id_;
}

std::optional<Tasks::Asker> Tasks::end(int64_t id, const std::string& worker, const std::string& incarnation) {
  const auto found = open_.find(id);
  if (found == open_.end()) return std::nullopt;
  if (found->second.worker != worker || found->second.incarnation != incarnation) return std::nullopt;
  auto asker = std::move(found->second);
  open_.erase(found);
  return asker;
}

std::optional<Tasks::Dropped> Tasks::drop(const std::string& owner, const std::string& client, int64_t number) {
  const auto found = std::ranges::find_if(open_, [&](const auto& entry) {
    const auto& identity = entry.second.identity;
    return identity.owner == owner && identity.client == client && identity.number == number;
  });
  if (found == open_.end()) return std::nullopt;
  Dropped dropped{found->first, found->second.worker};
  open_.erase(found);
  return dropped;
}

std::map<std::string, int64_t> Tasks::sessions() const {
  std::map<std::string, int64_t> sessions;
  for (const auto& [id, asker] : open_) {
    for (const auto& use : asker.uses) ++sessions[use.first];
  }
  return sessions;
}

template <class Predicate>
std::vector<Tasks::Asker> Tasks::take(Predicate predicate) {
  std::vector<Asker> taken;
  for (auto it = open_.begin(); it != open_.end();) {
    if (predicate(it->second)) {
      taken.push_back(std::move(it->second));
      it = open_.erase(it);
    } else {
      ++it;
    }
  }
  return taken;
}

std::vector<Tasks::Asker> Tasks::overdue(MonoTime now) {
  return take([&](const Asker& asker) { return asker.deadline <= now; });
}

std::vector<Tasks::Asker> Tasks::worker_gone(const std::string& worker) {
  return take([&](const Asker& asker) { return asker.worker == worker; });
}

std::optional<MonoTime> Tasks::next_deadline() const {
  std::optional<MonoTime> next;
  for (const auto& [id, asker] : open_) next = std::min(next.value_or(asker.deadline), asker.deadline);
  return next;
}

}  // namespace pipekit
