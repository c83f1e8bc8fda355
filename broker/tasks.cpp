#include "broker/tasks.h"

#include <algorithm>

namespace pipekit {

std::optional<int64_t> Tasks::begin(const Request& request, const std::string& peer, const std::string& worker,
                                    MonoTime now) {
  for (auto& [id, asker] : open_) {
    if (asker.client != request.client || asker.number != request.number) continue;
    asker.peer = peer;
    return std::nullopt;
  }
  open_[++last_id_] = {peer, request.client, request.number, worker, now + kLimit};
  return last_id_;
}

std::optional<Tasks::Asker> Tasks::end(int64_t id) {
  const auto found = open_.find(id);
  if (found == open_.end()) return std::nullopt;
  auto asker = std::move(found->second);
  open_.erase(found);
  return asker;
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
