// Which workers are connected, and whose leases have not ended: pure, in memory, time as an argument. The broker's loop
// owns it.
//
// A worker that was heard of keeps its name until its lease ends. One that the store knows as connected when the broker
// starts is `expected`: it has a lease from the start and no peer until it says hello.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "shared/channel.h"
#include "shared/clock.h"
#include "shared/protocol.h"

namespace pipekit {

struct Worker {
  std::string name;
  std::string incarnation;
  std::string replaced;  // the incarnation before it, taken for dead; empty: none
  std::string state_id;
  std::string version;
  std::string host;
  std::vector<std::string> tags;
  std::vector<std::string> drivers;  // empty: any
  int64_t slots = 0;
  int64_t protocol = 1;       // the version that it and this broker use
  bool draining = false;      // by itself: it was told to end
  bool drained = false;       // by an operator, until resumed; the store remembers
  bool told_drained = false;  // the event that nothing runs on it any more
  std::string peer;           // empty: expected, not here yet
  bool revoked = false;       // its key was, since it came: it has no peer any more
  std::string key;            // its public key; empty: it is local
  int64_t heartbeat = 0;      // the last one answered; assignments name it
  MonoTime heard{};           // when that, or its hello, was handled: a lease given now counts from here
  MonoTime deadline{};        // lost after this
  WallTime joined_at{};
};

class Workers {
 public:
  explicit Workers(Millis lease) : lease_(lease) {}

  void expect(Worker worker, MonoTime now);

  enum class Admission {
    joined,       // new, or back after it had left or was lost
    reattached,   // the same incarnation on a new socket, or a broker's restart
    replaced,     // a new incarnation that proved the old one dead: its attempts are lost now
    name_in_use,  // another incarnation may be alive
    other_key,    // one with another key, or the local one, may be alive
  };
  Admission admit(const Hello& hello, const Received& from, MonoTime now, WallTime wall);
  // It has no peer any more; its lease continues.
  void cut_off(Worker& worker);

  // nullptr: unknown peer.
  Worker* by_peer(const std::string& peer);
  Worker* by_name(const std::string& name);
  void heard(Worker& worker, const Heartbeat& heartbeat, MonoTime now);
  void remove(const std::string& name);

  // Those whose lease ended by `now`, not removed yet.
  [[nodiscard]] std::vector<std::string> overdue(MonoTime now) const;
  [[nodiscard]] std::optional<MonoTime> next_deadline() const;
  // The broker itself was paused for up to `stall`: nobody is late because of that. After a long stall every lease is
  // a fresh one, as after a restart: workers have to connect again. After a short one it moves by the stall,
  // because a slow broker whose every pause renewed all leases would never end one. Of `deadline`, where a fresh one
  // ends at `fresh`.
  [[nodiscard]] MonoTime after_stall(MonoTime deadline, MonoTime::duration stall, MonoTime fresh) const;
  void forgive(MonoTime::duration stall, MonoTime now);

  // May be given a run: here, not draining, and its lease has most of its time left.
  [[nodiscard]] bool assignable(const Worker& worker, MonoTime now) const;
  // Two heartbeats have not come: its lease has not ended, but something is wrong with it.
  [[nodiscard]] bool silent(const Worker& worker, MonoTime now) const;
  [[nodiscard]] const std::map<std::string, Worker>& all() const { return workers_; }
  [[nodiscard]] Millis lease() const { return lease_; }

 private:
  Millis lease_;
  std::map<std::string, Worker> workers_;
  std::map<std::string, std::string> names_by_peer_;
};

}  // namespace pipekit
