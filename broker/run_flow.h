// The life of runs and attempts, from submit to the final status (DESIGN section 4). SQL is the truth, guarded by state
// and epoch; the maps here are what of it is live, so that a turn needs no scan. The loop's thread only.
//
// Nothing here refuses after it has changed memory, so a refused frame needs no undo but its savepoint. What SQL does
// not allow although memory says so is a bug and ends the process.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/dispatcher.h"
#include "broker/modules.h"
#include "broker/run_queue.h"
#include "broker/settings.h"
#include "broker/store/attempts.h"
#include "broker/store/runs.h"
#include "broker/tasks.h"
#include "broker/turn.h"
#include "broker/verdict.h"
#include "broker/workers.h"

namespace pipekit {

struct Submission {
  Module module;
  std::optional<GroupRunId> group_run;
  bool dry_run = false;
  std::map<std::string, std::string> set;
  std::string triggered_by = "manual";
  std::string client;
  int64_t request_no = 0;
};

struct Submitted {
  RunId run;
  int64_t seq = 0;  // of its run.queued event
};

class RunFlow {
 public:
  // Called for each run that has got its final status, in the same turn.
  using OnFinal = std::function<void(Turn&, RunId, GroupRunId, const store::runs::End&)>;

  RunFlow(store::Database& db, Modules& modules, Workers& workers, const Tasks& tasks, const Settings& settings);
  void on_final(OnFinal callback) { on_final_ = std::move(callback); }

  // Reads what is live from the store; every live attempt gets a fresh lease.
  void recover(MonoTime now, WallTime wall);

  // kAlreadyRunning names the run that holds the module.
  Result<Submitted> submit(Turn& turn, const Submission& submission);
  // Asks for the end of a live run; false when it is not live.
  bool cancel(Turn& turn, RunId run);
  [[nodiscard]] std::vector<RunId> live_runs_of(std::optional<ModuleId> module, std::optional<GroupRunId> group) const;

  // What a worker says it has: renews, kills, sends again, gives up.
  void on_listing(Turn& turn, Worker& worker, const std::vector<RunKey>& listed, Epoch last_assignment);
  void on_fact(Turn& turn, Worker& worker, const Fact& fact);
  // A worker is proven dead (replaced) or has left: its attempts of other incarnations are lost.
  void worker_gone(Turn& turn, const std::string& name, const std::string& new_incarnation);

  // Leases that had ended when reading of the worker socket began, and questions that nobody could ask in time.
  void expire(Turn& turn, MonoTime read_began);
  void dispatch(Turn& turn);
  // Acknowledgements of the turn, one per attempt. Last, before the commit.
  void acknowledge(Turn& turn);

  // The broker was paused: workers.h.
  void forgive(MonoTime::duration stall, MonoTime now);
  // Of leases; they are judged by what was read until then.
  [[nodiscard]] std::optional<MonoTime> next_lease_end() const;
  // Of all else that a turn has to look at.
  [[nodiscard]] std::optional<MonoTime> next_deadline(MonoTime now) const;

  [[nodiscard]] size_t queue_length() const { return queue_.size(); }
  [[nodiscard]] size_t live_attempts() const { return attempts_.size(); }
  [[nodiscard]] int64_t busy_slots(const std::string& worker) const;
  [[nodiscard]] Json live_json(MonoTime now) const;
  // With its steps so far; null when it is not live.
  [[nodiscard]] Json live_json(RunId run, MonoTime now) const;

  struct LiveRun {
    RunId id;
    ModuleId module;
    std::shared_ptr<const ModuleSnapshot> definition;
    std::optional<GroupRunId> group_run;
    bool dry_run = false;
    std::map<std::string, std::string> set;
    int64_t attempts = 0;
    std::optional<Epoch> last_epoch;
    bool cancel_requested = false;
    bool reconcile = false;
    std::optional<MonoTime> reconcile_until;
    MonoTime eligible_at{};
    std::string pending_code;
    std::string pending_error;
    std::optional<Epoch> attempt;  // the live one
    int64_t queued_at = 0;
    std::optional<int64_t> started_at;
    std::string step;
    std::optional<MonoTime> step_began;
    std::optional<int64_t> rows;
    std::string line;          // of the runner's output, not ended yet
    int64_t hooks_failed = 0;  // of its last attempt that has ended
    int64_t log_bytes = 0;
    Needs needs;
  };
  struct LiveAttempt {
    Epoch epoch;
    RunId run;
    int64_t number = 1;
    std::string worker;
    std::string incarnation;
    AttemptState state = AttemptState::assigned;
    bool merging = false;
    bool reconcile = false;
    int64_t fact_seq = 0;
    MonoTime deadline{};
    MonoTime sent_again_at{};  // the turn in which its assignment was
    int64_t steps_told = 0;
    std::vector<StepTime> steps{};  // as far as this process has heard of them; the last one's time is still open
  };

  // For those who explain what is live (why.h).
  [[nodiscard]] const LiveRun* live_run(RunId run) const;
  [[nodiscard]] const std::map<Epoch, LiveAttempt>& attempts() const { return attempts_; }
  [[nodiscard]] const Workers& workers() const { return workers_; }
  // Of attempts and of questions.
  [[nodiscard]] Sessions sessions() const;
  [[nodiscard]] std::vector<Vacancy> vacancies(MonoTime now) const;

 private:
  void enqueue(LiveRun& run, MonoTime now);
  void dequeue(const LiveRun& run);
  static Needs needs_of(const LiveRun& run);

  void assign(Turn& turn, LiveRun& run, Worker& worker);
  void send_assignment(Turn& turn, const LiveRun& run, const LiveAttempt& attempt, const Worker& worker);
  Event event(const std::string& kind, const LiveRun& run, const std::string& worker, Json fields) const;

  void apply(Turn& turn, LiveAttempt& attempt, const Fact& fact);
  void late_fact(Turn& turn, Worker& worker, const Fact& fact);
  void late_end(Turn& turn, const store::attempts::Row& row, const fact::Finished& finished);
  static void begin_step(const Turn& turn, LiveRun& run, LiveAttempt& attempt, const std::string& step);
  static std::vector<StepTime> steps_until(const LiveRun& run, const LiveAttempt& attempt, MonoTime now);
  [[nodiscard]] Json row_json(const LiveRun& run, MonoTime now) const;
  void transit(Turn& turn, LiveAttempt& attempt, AttemptEvent event);
  void lose(Turn& turn, Epoch epoch, AttemptEvent event);
  void elide_log(LiveRun& run);

  // The attempt is over: takes it out and carries out the verdict.
  void end_attempt(Turn& turn, Epoch epoch, const AttemptEnd& end, std::optional<int64_t> row_count);
  void carry_out(Turn& turn, LiveRun& run, const Verdict& verdict, std::optional<int64_t> row_count);
  void put_back(Turn& turn, LiveRun& run, store::runs::Requeue how, Millis delay, Json fields);
  void finish(Turn& turn, RunId run, const store::runs::End& end);
  RunAtEnd at_end(const LiveRun& run, bool was_merging, bool reconcile) const;
  void note_ack(const Worker& worker, RunKey key, int64_t seq);

  store::Database& db_;
  Modules& modules_;
  Workers& workers_;
  const Tasks& tasks_;
  const Settings& settings_;
  const std::string store_id_;
  OnFinal on_final_;
  std::map<RunId, LiveRun> runs_;
  std::map<Epoch, LiveAttempt> attempts_;
  RunQueue queue_;
  std::set<RunId> timed_;  // those in the queue that wait for a time, or only until one: what turns have to look at
  std::map<std::pair<std::string, RunKey>, int64_t> acks_;  // (peer, attempt) -> seq
  std::map<std::string, std::set<RunKey>> kills_;           // by peer: listed by it, and given up here
};

}  // namespace pipekit
