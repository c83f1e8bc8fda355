// Group runs: rows in the store that this code moves on, so that they continue after a restart. Members run in
// run_order; members of equal order run in parallel. The loop's thread only.
#pragma once

#include <string>

#include "broker/run_flow.h"

namespace pipekit {

class GroupFlow {
 public:
  using OnEnded = std::function<void(int64_t group)>;

  GroupFlow(store::Database& db, Modules& modules, RunFlow& runs) : db_(db), modules_(modules), runs_(runs) {}
  // Called when a group run has got its final status, in the same turn.
  void on_ended(OnEnded callback) { on_ended_ = std::move(callback); }

  struct Started {
    GroupRunId group_run;
    int64_t seq = 0;  // of its group_run.started event
  };
  // kAlreadyRunning: the group's previous run has not ended.
  Result<Started> start(Turn& turn, const Json& group, bool dry_run, const std::string& triggered_by);
  // Its live members are asked to end, those not begun do not start. False when it is not live.
  bool cancel(Turn& turn, GroupRunId group_run);
  [[nodiscard]] std::optional<GroupRunId> live_run_of(const Json& group) const;

  // A member has its final status.
  void member_ended(Turn& turn, RunId run, GroupRunId group_run, const store::runs::End& end);

 private:
  struct Member {
    int64_t position = 0;
    int64_t run_order = 0;
    ModuleId module;
    std::string module_name;
    std::optional<RunId> run;
    std::string status;  // empty: not ended
  };
  struct GroupRun {
    GroupRunId id;
    int64_t group = 0;
    std::string name;
    bool stop_on_failure = false;
    bool dry_run = false;
    bool cancel_requested = false;
    std::string triggered_by;
    std::vector<Member> members;
  };

  std::optional<GroupRun> load_live(GroupRunId id) const;
  void snapshot_members(GroupRunId group_run, int64_t group);
  // Starts what may start now; ends the group run when nothing is left.
  void advance(Turn& turn, GroupRunId id);
  bool start_stage(Turn& turn, GroupRun& group_run);
  void close_rest(GroupRun& group_run);
  void end_member(const GroupRun& group_run, Member& member, const std::string& status, const std::string& error);
  void finish(Turn& turn, const GroupRun& group_run);
  Event event(const std::string& kind, const GroupRun& group_run, Json fields) const;

  store::Database& db_;
  Modules& modules_;
  RunFlow& runs_;
  OnEnded on_ended_;
};

// The worst of them: error, cancelled, success, dry_run.
std::string worst_status(const std::vector<std::string>& statuses, bool dry_run);

}  // namespace pipekit
