// Fires groups at their nominal times (P6). What a nominal time became stands in the ledger (schedule_fire), written in
// the same transaction as the group run and its queue rows; a time that stands there is never considered again, because
// schedule.considered_at has passed it in that transaction, too.
//
// A schedule that is new, edited or enabled looks only forward: it is considered from that moment on. The loop's thread
// only; times are arguments.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "broker/group_flow.h"
#include "broker/misfire.h"
#include "broker/schedule.h"
#include "broker/store/database.h"
#include "broker/turn.h"

namespace pipekit {

class Scheduler {
 public:
  // At the start: every schedule goes on from where the store says it was.
  Scheduler(store::Database& db, GroupFlow& groups);

  // After definitions have changed.
  void reload(WallTime wall);
  // Everything that is due by turn.wall.
  void fire(Turn& turn);
  // A schedule with misfire: all may be waiting for its group's run to end.
  void group_ended(int64_t group);

  [[nodiscard]] std::optional<WallTime> next_due() const;

 private:
  struct Entry {
    int64_t group = 0;
    std::string group_name;
    std::string definition;  // as it stands in the store, to see whether it was edited
    Schedule schedule;
    Misfire misfire = Misfire::kLatest;
    FireTime considered;  // what is at or before this has its outcome
    std::optional<FireTime> due;
    bool waits = false;  // for its group's run to end; not in the queue
  };

  void read_all(std::optional<WallTime> edited_at);
  void enqueue(int64_t id, Entry& entry);
  void dequeue(int64_t id, Entry& entry);
  void consider_one(Turn& turn, int64_t id, Entry& entry);
  // False when it has to wait for the group.
  bool act_on(Turn& turn, int64_t id, Entry& entry, const Outcome& outcome);
  void record_missed(Turn& turn, int64_t id, const Entry& entry, const Outcome& outcome);
  void record(Turn& turn, int64_t id, const Entry& entry, const Outcome& outcome, const char* word,
              const std::string& reason, std::optional<GroupRunId> group_run);

  store::Database& db_;
  GroupFlow& groups_;
  std::map<int64_t, Entry> schedules_;            // the enabled ones
  std::set<std::pair<FireTime, int64_t>> queue_;  // due, id
};

}  // namespace pipekit
