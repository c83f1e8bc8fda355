// Why a module does not run, why a run waits, what it does, or how it ended: the answers of `why`. Reads the store and
// what is live, changes nothing. The loop's thread.
//
// Each answer is {reasons: [{code, text, hint, ...}]}, the one that matters first. Of a run they have run_id and its
// status as well; until: when it is expected to change; runs: those that hold what it waits for.
#pragma once

#include "broker/modules.h"
#include "broker/run_flow.h"

namespace pipekit {

class Why {
 public:
  Why(store::Database& db, Modules& modules, const RunFlow& runs, MonoTime now, WallTime wall)
      : db_(db), modules_(modules), runs_(runs), now_(now), wall_(wall) {}

  // Each at most once in the life of the object.
  Result<Json> of_run(RunId run);
  Result<Json> of_module(const Json& ref);
  // Of its live members.
  Result<Json> of_group_run(GroupRunId group_run);

 private:
  void add(const char* code, std::string text, std::string hint = {}, Json more = Json::object());
  void add_live(const RunFlow::LiveRun& run, const std::string& prefix);
  void add_running(const RunFlow::LiveRun& run, const std::string& prefix);
  void add_queued(const RunFlow::LiveRun& run, const std::string& prefix);
  void add_no_worker(const RunFlow::LiveRun& run, const std::string& prefix);
  void add_ended(RunId run);
  // A run of its group has not reached this module yet.
  void add_group_under_way(ModuleId module);
  // The newest scheduled time of each of its schedules, if nothing has run then or since.
  void add_skipped(const Module& module, std::optional<RunId> last);
  void add_schedules(const Module& module);
  void add_schedule_of(const Json& group);

  [[nodiscard]] std::string step_text(const RunFlow::LiveRun& run) const;
  // Runs that hold a slot of a worker with these tags, or a session of this connection.
  [[nodiscard]] std::vector<int64_t> holders(const std::vector<std::string>& tags) const;
  [[nodiscard]] std::vector<int64_t> holders(const std::string& connection) const;
  [[nodiscard]] std::string after(MonoTime time) const;  // ISO
  Json answer() { return {{"reasons", std::move(reasons_)}}; }

  store::Database& db_;
  Modules& modules_;
  const RunFlow& runs_;
  const MonoTime now_;
  const WallTime wall_;
  Json reasons_ = Json::array();
};

}  // namespace pipekit
