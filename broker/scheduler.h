// Fires groups at their scheduled times (P6). The outcome of each scheduled time is a row of the ledger
// (schedule_fire), written in the same transaction as the group run and its queue rows. A time with an outcome is not
// considered again, because schedule.considered_at passes it in that transaction, too.
//
// A schedule that is new, edited or enabled is considered from that moment on. One that cannot fire says why in each
// view (next_fire.h), and is tried again from time to time: the host's time zones may come back.
//
// A clock that was ahead leaves considered_at in the future, and the schedule would not fire until then. It is set back
// to the present, with the outcomes of times that have not come yet; but a time that has fired does not fire again.
//
// The loop's thread only; times are arguments.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/group_flow.h"
#include "broker/misfire.h"
#include "broker/schedule.h"
#include "broker/store/database.h"
#include "broker/turn.h"

namespace pipekit {

class Scheduler {
 public:
  static constexpr std::chrono::minutes kTryAgain{1};  // a schedule that cannot fire
  // A turn emits about this many events of schedules; the rest is due in the next one.
  static constexpr int64_t kEventsPerTurn = 60;

  // At the start: every schedule continues from its considered_at.
  Scheduler(store::Database& db, GroupFlow& groups);

  // After definitions have changed.
  void reload(WallTime wall);
  // What is due by turn.wall, or as much of it as a turn can do. Schedules of one group that are due at one instant are
  // never parted: they start one group run.
  void fire(Turn& turn);
  // A schedule with misfire: all may be waiting for its group's run to end.
  void group_ended(int64_t group);

  [[nodiscard]] std::optional<WallTime> next_due() const;

 private:
  struct Entry {
    int64_t group = 0;
    std::string group_name;
    std::string definition;  // as stored, to see whether it was edited
    Schedule schedule;
    Misfire misfire = Misfire::kLatest;
    FireTime considered;  // what is at or before this has its outcome
    std::optional<FireTime> due;
  };

  struct Due {
    FireTime at;
    int64_t group;
    int64_t id;
    auto operator<=>(const Due&) const = default;
  };

  void read_all(std::optional<WallTime> edited_at);
  void try_again(Turn& turn);
  void look_at_clock(Turn& turn);
  void set_back(Turn& turn, int64_t id, Entry& entry);
  void settle_ledger(int64_t id, const Entry& entry, FireTime now);
  void enqueue(int64_t id, Entry& entry);
  void dequeue(int64_t id, Entry& entry);
  // Outcomes until the turn has emitted event `most`.
  void consider_one(Turn& turn, int64_t id, Entry& entry, int64_t most);
  // False when it has to wait for the group.
  bool fire_one(Turn& turn, int64_t id, Entry& entry, const Outcome& outcome);
  bool act_on(Turn& turn, int64_t id, Entry& entry, const Outcome& outcome);
  void record_missed(Turn& turn, int64_t id, const Entry& entry, const Outcome& outcome);
  void record(Turn& turn, int64_t id, const Entry& entry, const Outcome& outcome, const char* word,
              const std::string& reason, std::optional<GroupRunId> group_run);

  store::Database& db_;
  GroupFlow& groups_;
  std::map<int64_t, Entry> schedules_;  // the enabled ones
  std::set<Due> queue_;
  std::multimap<int64_t, int64_t> waiting_;  // group, id
  std::map<int64_t, std::string> broken_;    // the enabled ones that cannot fire, with the reason
  std::optional<WallTime> try_again_;
  std::optional<WallTime> clock_;  // at the last look; none: to be looked at
  std::vector<Event> untold_;
};

}  // namespace pipekit
