#include "broker/workers.h"

#include <algorithm>

namespace pipekit {

void Workers::expect(Worker worker, MonoTime now) {
  worker.peer.clear();
  worker.deadline = now + lease_;
  workers_[worker.name] = std::move(worker);
}

Workers::Admission Workers::admit(const Hello& hello, const Received& from, MonoTime now, WallTime wall) {
  auto admission = Admission::joined;
  auto* known = by_name(hello.name);
  if (known != nullptr) {
    if (known->key != from.key) return Admission::other_key;
    const bool same = known->incarnation == hello.incarnation;
    // One that was taken for dead and speaks belies the proof: two would replace each other for ever.
    const bool belied = hello.incarnation == known->replaced;
    const bool proven_dead = !hello.state_id.empty() && known->state_id == hello.state_id && !belied;
    if (!same && !proven_dead) return Admission::name_in_use;
    admission = same ? Admission::reattached : Admission::replaced;
    names_by_peer_.erase(known->peer);
  }
  auto& worker = workers_[hello.name];
  if (admission != Admission::reattached) {
    const auto before = std::move(worker.incarnation);
    worker = Worker{};
    worker.replaced = before;
    worker.joined_at = wall;
  }
  worker.name = hello.name;
  worker.incarnation = hello.incarnation;
  worker.state_id = hello.state_id;
  worker.version = hello.version;
  worker.host = hello.host;
  worker.tags = hello.tags;
  worker.drivers = hello.drivers;
  worker.protocol = common_version(spoken_versions(), hello.protocol).value_or(1);
  worker.slots = hello.slots;
  worker.draining = hello.draining;
  worker.peer = from.peer;
  worker.revoked = false;
  worker.key = from.key;
  worker.heartbeat = 0;  // nothing is assigned before its first heartbeat on this socket
  worker.heard = now;
  worker.deadline = now + lease_;
  names_by_peer_[from.peer] = hello.name;
  return admission;
}

void Workers::cut_off(Worker& worker) {
  names_by_peer_.erase(worker.peer);
  worker.peer.clear();
  worker.revoked = true;
}

Worker* Workers::by_peer(const std::string& peer) {
  const auto name = names_by_peer_.find(peer);
  return name == names_by_peer_.end() ? nullptr : by_name(name->second);
}

Worker* Workers::by_name(const std::string& name) {
  const auto found = workers_.find(name);
  return found == workers_.end() ? nullptr : &found->second;
}

void Workers::heard(Worker& worker, const Heartbeat& heartbeat, MonoTime now) {
  worker.heartbeat = heartbeat.number;
  worker.draining = heartbeat.draining;
  worker.heard = now;
  worker.deadline = now + lease_;
}

void Workers::remove(const std::string& name) {
  const auto found = workers_.find(name);
  if (found == workers_.end()) return;
  names_by_peer_.erase(found->second.peer);
  workers_.erase(found);
}

std::vector<std::string> Workers::overdue(MonoTime now) const {
  std::vector<std::string> names;
  for (const auto& [name, worker] : workers_) {
    if (worker.deadline <= now) names.push_back(name);
  }
  return names;
}

std::optional<MonoTime> Workers::next_deadline() const {
  std::optional<MonoTime> next;
  for (const auto& [name, worker] : workers_) next = std::min(next.value_or(worker.deadline), worker.deadline);
  return next;
}

MonoTime Workers::after_stall(MonoTime deadline, MonoTime::duration stall, MonoTime fresh) const {
  if (stall >= lease_ / 4) return std::max(deadline, fresh);
  return std::max(deadline, std::min(deadline + stall, fresh));
}

void Workers::forgive(MonoTime::duration stall, MonoTime now) {
  for (auto& [name, worker] : workers_) worker.deadline = after_stall(worker.deadline, stall, now + lease_);
}

bool Workers::silent(const Worker& worker, MonoTime now) const {
  return !worker.peer.empty() && now > worker.heard + lease_ * 5 / 12;  // a heartbeat is a sixth of a lease
}

bool Workers::assignable(const Worker& worker, MonoTime now) const {
  return !worker.peer.empty() && !worker.draining && !worker.drained && worker.heartbeat > 0 &&
         now < worker.heard + lease_ / 2;
}

}  // namespace pipekit
