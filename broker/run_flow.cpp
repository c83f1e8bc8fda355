#include "broker/run_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "broker/sound.h"
#include "broker/store/events.h"
#include "shared/overload.h"
#include "shared/planted_fault.h"

namespace pipekit {
namespace {

constexpr size_t kMostKills = 1000;
// Of one attempt; a worker tells some dozens. More are acknowledged, and make no events.
constexpr int64_t kMostStepsTold = 10'000;

constexpr Millis kMaxBackoff{3'600'000};

// Doubles with each attempt.
Millis backoff(int64_t base_s, int64_t attempts) {
  Millis delay{base_s * 1000};
  for (int64_t i = 1; i < attempts && delay < kMaxBackoff; ++i) delay *= 2;
  return std::min(delay, kMaxBackoff);
}

// What a run keeps of its error is one text; a runner's own errors have their hints in this form.
std::string in_words(const WireError& error) {
  return error.hint.empty() ? error.message : fmt::format("{}\nhint: {}", error.message, error.hint);
}

void insist(bool held, const char* what, int64_t id) {
  if (!held) throw std::logic_error(fmt::format("the store and memory disagree: {} {}", what, id));
}

}  // namespace

RunFlow::RunFlow(store::Database& db, Modules& modules, Workers& workers, const Tasks& tasks, const Settings& settings)
    : db_(db),
      modules_(modules),
      workers_(workers),
      tasks_(tasks),
      settings_(settings),
      store_id_(db.value<std::string>("SELECT value FROM meta WHERE key = 'store_id'").value_or("")) {}

void RunFlow::recover(MonoTime now, WallTime wall) {
  for (const auto& row : store::runs::load_live(db_)) {
    LiveRun run;
    run.id = row.id;
    run.module = row.module;
    run.definition = modules_.snapshot(row.snapshot_id);
    run.group_run = row.group_run;
    run.dry_run = row.dry_run;
    run.set = row.set;
    run.attempts = row.attempts;
    run.last_epoch = row.last_epoch;
    run.cancel_requested = row.cancel_requested;
    run.reconcile = row.reconcile;
    run.pending_code = row.error_code;
    run.pending_error = row.error;
    run.queued_at = row.queued_at;
    run.started_at = row.started_at;
    run.hooks_failed = row.hooks_failed;
    run.log_bytes = store::events::log_bytes(db_, row.id);
    // The wall clock may have been set: it never waits longer than it would have from the start.
    const auto whole = backoff(run.definition->retry_backoff_s, run.attempts);
    const Millis left{std::clamp<int64_t>(row.not_before - to_ms(wall), 0, whole.count())};
    run.eligible_at = now + left;
    if (run.reconcile) run.reconcile_until = now + 2 * workers_.lease();
    const auto attempt = row.last_epoch ? store::attempts::find(db_, *row.last_epoch) : std::nullopt;
    const bool live = row.status == "running" && attempt && is_live(attempt->state);
    auto& kept = runs_.emplace(run.id, std::move(run)).first->second;
    kept.needs = needs_of(kept);
    if (!live) {
      insist(row.status == "queued", "running without a live attempt: run", row.id.value);
      enqueue(kept, now);
      continue;
    }
    kept.attempt = attempt->epoch;
    attempts_[attempt->epoch] = {attempt->epoch,
                                 attempt->run,
                                 attempt->number,
                                 attempt->worker,
                                 attempt->incarnation,
                                 attempt->state,
                                 attempt->merging,
                                 attempt->reconcile,
                                 attempt->fact_seq,
                                 now + workers_.lease(),
                                 {}};
  }
}

Result<Submitted> RunFlow::submit(Turn& turn, const Submission& submission) {
  const auto& module = submission.module;
  const auto seq = turn.next_seq();
  const auto id = store::runs::insert(
      db_,
      {module.id, module.definition->name, submission.group_run, module.snapshot_id, submission.dry_run, submission.set,
       submission.triggered_by, submission.client, submission.request_no, seq},
      turn.wall);
  if (!id) {
    const auto holder = store::runs::holder(db_, module.id);
    const bool queued = !holder || holder->worker.empty();
    const auto run_id = holder ? holder->run.value : 0;
    return Error{ErrorCode::kAlreadyRunning,
                 fmt::format("module {} is already {}: run {}{}", module.definition->name,
                             queued ? "queued" : "running", run_id, queued ? "" : " on worker " + holder->worker),
                 fmt::format("follow it with: pipekit-ctl runs logs {} -f", run_id)};
  }
  LiveRun run;
  run.id = *id;
  run.module = module.id;
  run.definition = module.definition;
  run.group_run = submission.group_run;
  run.dry_run = submission.dry_run;
  run.set = submission.set;
  run.eligible_at = turn.now;
  run.queued_at = to_ms(turn.wall);
  run.needs = needs_of(run);
  turn.emit(event("run.queued", run, "", {{"triggered_by", submission.triggered_by}}));
  enqueue(runs_.emplace(*id, std::move(run)).first->second, turn.now);
  return Submitted{*id, seq};
}

void RunFlow::enqueue(LiveRun& run, MonoTime now) {
  queue_.insert(run.definition->priority, RunQueue::lane_of(run.group_run), run.id);
  if (run.eligible_at > now || run.reconcile_until) timed_.insert(run.id);
}

void RunFlow::dequeue(const LiveRun& run) {
  queue_.erase(run.definition->priority, RunQueue::lane_of(run.group_run), run.id);
  timed_.erase(run.id);
}

Needs RunFlow::needs_of(const LiveRun& run) {
  const auto& definition = *run.definition;
  Needs needs;
  needs.add(definition.dest);
  if (run.reconcile) return needs;  // it only connects to the destination
  needs.add_protocol_of(definition);
  needs.add(definition.source);
  for (const auto& watermark : definition.watermarks) needs.add(watermark.connection);
  for (const auto& hook : definition.hooks) needs.add(hook.connection);
  return needs;
}

Event RunFlow::event(const std::string& kind, const LiveRun& run, const std::string& worker, Json fields) const {
  Event event;
  event.kind = kind;
  event.run_id = run.id.value;
  if (run.group_run) event.group_run_id = run.group_run->value;
  event.module_name = run.definition->name;
  event.worker = worker;
  event.fields = std::move(fields);
  return event;
}

Sessions RunFlow::sessions() const {
  auto sessions = tasks_.sessions();
  for (const auto& [epoch, attempt] : attempts_) {
    for (const auto& use : runs_.at(attempt.run).needs.uses) ++sessions[use.first];
  }
  return sessions;
}

int64_t RunFlow::busy_slots(const std::string& worker) const {
  return std::ranges::count_if(attempts_, [&](const auto& entry) { return entry.second.worker == worker; });
}

std::vector<Vacancy> RunFlow::vacancies(MonoTime now) const {
  std::vector<Vacancy> vacancies;
  std::map<std::string_view, int64_t> busy;
  for (const auto& [epoch, attempt] : attempts_) ++busy[attempt.worker];
  for (const auto& [name, worker] : workers_.all()) {
    if (workers_.assignable(worker, now)) {
      vacancies.push_back({name, worker.slots - busy[name], worker.tags, worker.drivers, worker.protocol});
    }
  }
  return vacancies;
}

void RunFlow::dispatch(Turn& turn) {
  if (queue_.empty()) return;
  auto free = vacancies(turn.now);
  if (std::ranges::none_of(free, [](const auto& vacancy) { return vacancy.free_slots > 0; })) return;
  std::map<RunQueue::Lane, int64_t> under_way;
  for (const auto& [epoch, attempt] : attempts_) ++under_way[RunQueue::lane_of(runs_.at(attempt.run).group_run)];
  Placer placer(std::move(free), sessions());
  RunQueue::Pass pass(queue_, std::move(under_way));
  std::vector<std::pair<RunId, std::string>> placed;
  while (!placer.full()) {
    const auto id = pass.next();
    if (!id) break;
    const auto& run = runs_.at(*id);
    if (run.eligible_at > turn.now) continue;
    const auto* worker = placer.place(run.needs);
    if (worker == nullptr) continue;
    pass.placed();
    placed.emplace_back(*id, *worker);
  }
  for (const auto& [id, worker] : placed) assign(turn, runs_.at(id), *workers_.by_name(worker));
}

void RunFlow::assign(Turn& turn, LiveRun& run, Worker& worker) {
  LiveAttempt attempt;
  attempt.run = run.id;
  attempt.reconcile = run.reconcile;
  attempt.number = run.attempts + (run.reconcile ? 0 : 1);
  attempt.worker = worker.name;
  attempt.incarnation = worker.incarnation;
  // The worker counts from when it sent that heartbeat, so its own deadline is the earlier one.
  attempt.deadline = worker.heard + workers_.lease();
  attempt.epoch = store::attempts::insert(
      db_, {run.id, attempt.number, run.last_epoch, run.reconcile, worker.name, worker.incarnation}, turn.wall);
  insist(store::runs::mark_running(db_, run.id, attempt.epoch, !run.reconcile, turn.wall), "queued run", run.id.value);
  if (!run.reconcile) ++run.attempts;
  if (!run.started_at) run.started_at = to_ms(turn.wall);
  run.last_epoch = attempt.epoch;
  run.attempt = attempt.epoch;
  run.step = run.reconcile ? "reconcile" : "assigned";
  run.step_began = turn.now;
  dequeue(run);
  queue_.had_its_turn(RunQueue::lane_of(run.group_run));
  Json fields = {{"attempt", attempt.number}, {"epoch", attempt.epoch.value}};
  if (run.reconcile) fields["reconcile"] = true;
  turn.emit(event("run.assigned", run, worker.name, std::move(fields)));
  send_assignment(turn, run, attempt, worker);
  attempts_[attempt.epoch] = std::move(attempt);
}

void RunFlow::send_assignment(Turn& turn, const LiveRun& run, const LiveAttempt& attempt, const Worker& worker) {
  Assignment assignment;
  assignment.key = {run.id, attempt.epoch};
  assignment.heartbeat = worker.heartbeat;
  assignment.reconcile = attempt.reconcile;
  assignment.dry_run = run.dry_run;
  assignment.store = store_id_;
  assignment.set = run.set;
  assignment.earlier = store::attempts::earlier(db_, attempt.epoch);
  assignment.leftovers = store::attempts::leftovers(db_, run.module);
  assignment.claim_limit_ms = settings_.claim_limit_s * 1000;
  assignment.row_count_pattern = settings_.row_count_pattern;
  assignment.module = *run.definition;
  assignment.module_has_succeeded = !run.definition->watermarks.empty() && store::runs::has_succeeded(db_, run.module);
  turn.to_worker(worker.peer, std::move(assignment));
}

void RunFlow::on_listing(Turn& turn, Worker& worker, const std::vector<RunKey>& listed, Epoch last_assignment) {
  const std::set<RunKey> all(listed.begin(), listed.end());
  for (const auto& key : all) {
    const auto found = attempts_.find(key.epoch);
    const bool held = found != attempts_.end() && found->second.worker == worker.name &&
                      found->second.incarnation == worker.incarnation;
    if (held) {
      found->second.deadline = turn.now + workers_.lease();
      if (found->second.state == AttemptState::cancelling) turn.to_worker(worker.peer, CancelAttempt{key});
    } else {
      // Once a turn, however often it is listed; the rest when they are listed next.
      if (auto& kills = kills_[worker.peer]; kills.size() < kMostKills) kills.insert(key);
    }
  }
  std::vector<Epoch> gone;
  for (auto& [epoch, attempt] : attempts_) {
    if (attempt.worker != worker.name || attempt.incarnation != worker.incarnation) continue;
    if (all.contains({attempt.run, epoch})) continue;
    if (epoch <= last_assignment) {
      gone.push_back(epoch);
    } else if (worker.heartbeat > 0 && attempt.sent_again_at != turn.now) {
      attempt.sent_again_at = turn.now;
      // It names this heartbeat now, and the worker counts its lease from it.
      attempt.deadline = worker.heard + workers_.lease();
      send_assignment(turn, runs_.at(attempt.run), attempt, worker);
    }
  }
  for (const auto epoch : gone) lose(turn, epoch, AttemptEvent::never_begun);
}

void RunFlow::note_ack(const Worker& worker, RunKey key, int64_t seq) {
  auto& acked = acks_[{worker.peer, key}];
  acked = std::max(acked, seq);
}

void RunFlow::acknowledge(Turn& turn) {
  for (const auto& [to, seq] : acks_) turn.to_worker(to.first, FactAck{to.second, seq});
  acks_.clear();
  for (const auto& [peer, keys] : kills_) {
    for (const auto key : keys) turn.to_worker(peer, KillAttempt{key});
  }
  kills_.clear();
}

void RunFlow::on_fact(Turn& turn, Worker& worker, const Fact& fact) {
  const auto found = attempts_.find(fact.key.epoch);
  const bool live = found != attempts_.end() && found->second.run == fact.key.run;
  if (!live) return late_fact(turn, worker, fact);
  auto& attempt = found->second;
  const bool its_worker = attempt.worker == worker.name && attempt.incarnation == worker.incarnation;
  if (!its_worker) return;
  if (PLANTED("facts_applied_twice") && fact.seq <= attempt.fact_seq) apply(turn, attempt, fact);
  if (fact.seq == attempt.fact_seq + 1) {
    insist(store::attempts::advance(db_, attempt.epoch, fact.seq), "fact of attempt", attempt.epoch.value);
    attempt.fact_seq = fact.seq;
    note_ack(worker, fact.key, fact.seq);
    apply(turn, attempt, fact);  // may end the attempt: nothing of it is used after this
  } else {
    note_ack(worker, fact.key, attempt.fact_seq);  // a duplicate, or one that ran ahead and comes again
  }
}

void RunFlow::apply(Turn& turn, LiveAttempt& attempt, const Fact& fact) {
  auto& run = runs_.at(attempt.run);
  std::visit(
      Overload{
          [&](const fact::Started&) {
            transit(turn, attempt, AttemptEvent::started);
            turn.emit(event("run.started", run, attempt.worker, {{"attempt", attempt.number}}));
          },
          [&](const fact::Step& step) {
            if (++attempt.steps_told > kMostStepsTold) return;
            begin_step(turn, run, attempt, step.step);
            Json fields = {{"step", step.step}};
            if (!step.detail.empty()) fields["detail"] = step.detail;
            turn.emit(event("run.step", run, attempt.worker, std::move(fields)));
          },
          [&](const fact::Log& log) {
            LogChunk chunk{0,        to_ms(turn.wall), run.id.value, std::nullopt, run.definition->name, attempt.worker,
                           log.lines};
            if (run.group_run) chunk.group_run_id = run.group_run->value;
            for (const auto& line : log.lines) run.log_bytes += static_cast<int64_t>(line.text.size()) + 1;
            run.line.clear();  // it has ended, or it will be reported again
            turn.log(std::move(chunk));
            elide_log(run);
          },
          [&](const fact::Progress& progress) {
            Json fields = Json::object();
            if (progress.line.empty() || progress.rows > 0) {
              run.rows = progress.rows;
              fields["rows"] = progress.rows;
            }
            if (!progress.line.empty()) fields["line"] = progress.line;
            run.line = progress.line;
            turn.emit(event("run.progress", run, attempt.worker, std::move(fields)));
          },
          [&](const fact::Merging&) {
            store::attempts::set_merging(db_, attempt.epoch);
            attempt.merging = true;
            begin_step(turn, run, attempt, "merge");
            turn.emit(event("run.step", run, attempt.worker, {{"step", "merge"}}));
          },
          [&](const fact::Refused& refused) {
            transit(turn, attempt, AttemptEvent::refused);
            store::attempts::record_end(db_, attempt.epoch, "refused", "none", in_words(refused.error), std::nullopt,
                                        {});
            AttemptEnd end;
            end.how = AttemptEnd::How::not_begun;
            end.worker = attempt.worker;
            end_attempt(turn, attempt.epoch, end, std::nullopt);
          },
          [&](const fact::Finished& finished) {
            transit(turn, attempt, AttemptEvent::finished);
            auto error = finished.error.value_or(WireError{});
            // The fence has seen an epoch that this store has not given out yet.
            if (error.code == "stale_epoch" && finished.fence_epoch > store::attempts::highest(db_)) {
              error = {
                  "store_put_back",
                  fmt::format("the destination's fence is at epoch {}, but this store has only reached {}: its file was"
                              " replaced by an older copy",
                              finished.fence_epoch.value, attempt.epoch.value),
                  ""};
            }
            store::attempts::record_end(db_, attempt.epoch, finished.status, finished.outcome, in_words(error),
                                        finished.row_count, finished.steps);
            if (!attempt.reconcile) {
              store::runs::record_details(db_, run.id, finished);
              run.hooks_failed = finished.hooks_failed;
            }
            if (run.dry_run) {
              // It neither made staging nor dropped any.
            } else if (finished.staging_dropped) {
              store::attempts::clear_leftovers(db_, run.module, attempt.epoch);
            } else {
              store::attempts::add_leftover(db_, run.module, {run.id, attempt.epoch});
            }
            end_attempt(turn, attempt.epoch,
                        {AttemptEnd::How::told, finished.status, finished.outcome, finished.retryable, error.code,
                         in_words(error), attempt.worker},
                        finished.row_count);
          },
      },
      fact.body);
}

void RunFlow::begin_step(const Turn& turn, LiveRun& run, LiveAttempt& attempt, const std::string& step) {
  if (!attempt.steps.empty() && attempt.steps.back().step == step) return;  // more to tell of the same one
  attempt.steps = steps_until(run, attempt, turn.now);
  if (attempt.steps.size() < kMostSteps) attempt.steps.push_back({step, to_ms(turn.wall), 0});
  run.step = step;
  run.step_began = turn.now;
}

std::vector<StepTime> RunFlow::steps_until(const LiveRun& run, const LiveAttempt& attempt, MonoTime now) {
  auto steps = attempt.steps;
  if (!steps.empty() && run.step_began) {
    steps.back().duration_ms = std::chrono::floor<Millis>(now - *run.step_began).count();
  }
  return steps;
}

void RunFlow::elide_log(LiveRun& run) {
  const store::events::Limits limits{settings_.log_head_bytes, settings_.log_tail_bytes};
  if (run.log_bytes < limits.head_bytes + limits.tail_bytes * 3 / 2) return;
  run.log_bytes = store::events::elide(db_, run.id, limits);
}

void RunFlow::transit(Turn& turn, LiveAttempt& attempt, AttemptEvent event) {
  const auto to = store::attempts::apply(db_, attempt.epoch, attempt.state, event, turn.wall);
  if (to) attempt.state = *to;  // else: this event says nothing in this state (a second `started`)
}

// A fact of an attempt that is not live: given up, ended, or of a store that was put back. It is acknowledged, or the
// worker would keep it for ever; all but `merging`: that would let it merge, and what was lost before counts as not
// merged. The final fact, acknowledged, takes that one with it.
void RunFlow::late_fact(Turn& turn, Worker& worker, const Fact& fact) {
  const auto row = store::attempts::find(db_, fact.key.epoch);
  const bool known =
      row && row->run == fact.key.run && row->worker == worker.name && row->incarnation == worker.incarnation;
  const bool durable = known && fact.seq <= row->fact_seq;
  if (std::holds_alternative<fact::Merging>(fact.body) && !durable) return;
  note_ack(worker, fact.key, fact.seq);
  if (!known || row->state != AttemptState::lost) return;
  if (const auto* finished = std::get_if<fact::Finished>(&fact.body)) late_end(turn, *row, *finished);
}

// DESIGN section 7, "A final fact of an attempt already given up".
void RunFlow::late_end(Turn& turn, const store::attempts::Row& row, const fact::Finished& finished) {
  insist(store::attempts::apply(db_, row.epoch, row.state, AttemptEvent::finished, turn.wall).has_value(),
         "lost attempt", row.epoch.value);
  const auto error = finished.error.value_or(WireError{});
  store::attempts::record_end(db_, row.epoch, finished.status, finished.outcome, in_words(error), finished.row_count,
                              finished.steps);
  const auto found = runs_.find(row.run);
  if (found == runs_.end()) return;  // final: no event follows run.finished
  auto& run = found->second;
  if (run.attempt || run.last_epoch != row.epoch) return;  // a newer attempt lives, and adopts
  // One that was cancelled in its hooks has merged: no attempt may follow it.
  const bool succeeded = finished.status == "success" || finished.status == "dry_run" || finished.outcome == "merged";
  // What it says of itself is no answer to whether one before it has merged, unless the destination has told it.
  const bool settles = run.reconcile && finished.outcome != "unknown" && !store::attempts::outcome_open(db_, row.epoch);
  if (!succeeded && !settles) return;  // the retry continues
  dequeue(run);
  if (!row.reconcile) store::runs::record_details(db_, run.id, finished);
  if (succeeded) {
    finish(turn, run.id, {finished.status, error.code, in_words(error), finished.row_count});
  } else {
    finish(turn, run.id, {run.cancel_requested ? "cancelled" : "error", run.pending_code, run.pending_error, {}});
  }
}

void RunFlow::worker_gone(Turn& turn, const std::string& name, const std::string& new_incarnation) {
  std::vector<Epoch> gone;
  for (const auto& [epoch, attempt] : attempts_) {
    if (attempt.worker == name && attempt.incarnation != new_incarnation) gone.push_back(epoch);
  }
  for (const auto epoch : gone) lose(turn, epoch, AttemptEvent::lease_ended);
}

void RunFlow::expire(Turn& turn, MonoTime read_began) {
  std::vector<Epoch> over;
  for (const auto& [epoch, attempt] : attempts_) {
    if (attempt.deadline <= read_began) over.push_back(epoch);
  }
  for (const auto epoch : over) lose(turn, epoch, AttemptEvent::lease_ended);

  std::vector<RunId> unanswered;
  for (const auto id : timed_) {
    const auto& run = runs_.at(id);
    if (run.reconcile_until && *run.reconcile_until <= turn.now) unanswered.push_back(id);
  }
  for (const auto id : unanswered) {
    auto& run = runs_.at(id);
    const auto error = fmt::format(
        "{}; no worker could ask the destination whether the merge was committed: compare it before running the module"
        " again",
        run.pending_error);
    dequeue(run);
    finish(turn, id, {"error", "outcome_unknown", error, std::nullopt});
  }
}

void RunFlow::lose(Turn& turn, Epoch epoch, AttemptEvent event) {
  auto& attempt = attempts_.at(epoch);
  const bool never_began = event == AttemptEvent::never_begun && attempt.state == AttemptState::assigned;
  transit(turn, attempt, event);
  auto& run = runs_.at(attempt.run);
  store::attempts::record_steps(db_, epoch, steps_until(run, attempt, turn.now));
  if (!never_began) store::attempts::add_leftover(db_, run.module, {run.id, epoch});
  AttemptEnd end;
  end.how = never_began ? AttemptEnd::How::not_begun : AttemptEnd::How::lost;
  end.worker = attempt.worker;
  end_attempt(turn, epoch, end, std::nullopt);
}

RunAtEnd RunFlow::at_end(const LiveRun& run, bool was_merging, bool reconcile) const {
  RunAtEnd state;
  state.was_merging = was_merging;
  const bool has_earlier = run.attempts > 1 || !run.attempt;
  state.outcome_open = has_earlier && run.last_epoch && store::attempts::outcome_open(db_, *run.last_epoch);
  state.reconcile = reconcile;
  state.cancel_requested = run.cancel_requested;
  state.fenced = run.definition->dest.fence != "none";
  state.append = run.definition->merge_strategy == "append";
  state.attempts = run.attempts;
  state.retries = run.definition->retries;
  state.pending_code = run.pending_code;
  state.pending_error = run.pending_error;
  return state;
}

void RunFlow::end_attempt(Turn& turn, Epoch epoch, const AttemptEnd& end, std::optional<int64_t> row_count) {
  const auto attempt = attempts_.at(epoch);
  auto& run = runs_.at(attempt.run);
  const auto verdict = judge(end, at_end(run, attempt.merging, attempt.reconcile));
  attempts_.erase(epoch);
  run.attempt.reset();
  carry_out(turn, run, verdict, row_count);
}

void RunFlow::carry_out(Turn& turn, LiveRun& run, const Verdict& verdict, std::optional<int64_t> row_count) {
  std::visit(Overload{
                 [&](const verdict::Final& end) {
                   finish(turn, run.id, {end.status, end.error_code, end.error, row_count});
                 },
                 [&](const verdict::Again&) {
                   // Not begun: what it was for stays, and it does not count.
                   store::runs::Requeue how;
                   how.reconcile = run.reconcile;
                   how.attempt_unused = !run.reconcile;
                   how.error_code = run.pending_code;
                   how.error = run.pending_error;
                   put_back(turn, run, how, Millis{0}, {{"reason", "the worker did not begin it"}});
                 },
                 [&](const verdict::Retry& retry) {
                   const auto delay = backoff(run.definition->retry_backoff_s, run.attempts);
                   store::runs::Requeue how;
                   how.not_before = turn.wall + delay;
                   how.error_code = retry.error_code;
                   how.error = retry.error;
                   put_back(
                       turn, run, how, delay,
                       {{"reason", retry.error}, {"attempt", run.attempts + 1}, {"retry_in_s", delay.count() / 1000}});
                 },
                 [&](const verdict::Reconcile& question) {
                   store::runs::Requeue how;
                   how.reconcile = true;
                   how.error_code = question.error_code;
                   how.error = question.error;
                   if (!run.reconcile_until) run.reconcile_until = turn.now + 2 * workers_.lease();
                   // Asked again at once it would spin against a destination that is down.
                   const auto delay = run.reconcile ? workers_.lease() / 6 : Millis{0};
                   put_back(turn, run, how, delay, {{"reason", question.error}, {"reconcile", true}});
                 },
             },
             verdict);
}

void RunFlow::put_back(Turn& turn, LiveRun& run, store::runs::Requeue how, Millis delay, Json fields) {
  insist(store::runs::requeue(db_, run.id, how), "running run", run.id.value);
  run.reconcile = how.reconcile;
  run.pending_code = how.error_code;
  run.pending_error = how.error;
  if (how.attempt_unused) --run.attempts;
  run.eligible_at = turn.now + delay;
  run.step.clear();
  run.step_began.reset();
  run.rows.reset();
  run.line.clear();
  run.needs = needs_of(run);
  turn.emit(event("run.queued", run, "", std::move(fields)));
  enqueue(run, turn.now);
}

void RunFlow::finish(Turn& turn, RunId id, const store::runs::End& end) {
  const auto found = runs_.find(id);
  insist(store::runs::finish(db_, id, end, turn.next_seq(), turn.wall), "live run", id.value);
  auto& run = found->second;
  Json fields = {{"status", end.status}, {"row_count", nullptr}};
  if (end.row_count) fields["row_count"] = *end.row_count;
  if (!end.error.empty()) fields["error"] = end.error;
  if (!end.error_code.empty()) fields["error_code"] = end.error_code;
  if (run.started_at) fields["duration_ms"] = to_ms(turn.wall) - *run.started_at;
  if (run.hooks_failed > 0) fields["hooks_failed"] = run.hooks_failed;
  turn.emit(event("run.finished", run, "", std::move(fields)));
  const auto group_run = run.group_run;
  runs_.erase(found);
  if (group_run && on_final_) on_final_(turn, id, *group_run, end);
}

bool RunFlow::cancel(Turn& turn, RunId id) {
  const auto found = runs_.find(id);
  if (found == runs_.end()) return false;
  auto& run = found->second;
  insist(store::runs::request_cancel(db_, id), "live run", id.value);
  run.cancel_requested = true;
  if (!run.attempt) {
    if (run.reconcile) return true;  // first the destination is asked whether it has merged
    dequeue(run);
    AttemptEnd end;
    end.how = AttemptEnd::How::not_begun;
    carry_out(turn, run, judge(end, at_end(run, false, false)), std::nullopt);
    return true;
  }
  auto& attempt = attempts_.at(*run.attempt);
  if (attempt.reconcile) return true;
  transit(turn, attempt, AttemptEvent::cancel);
  if (const auto* worker = workers_.by_name(attempt.worker); worker != nullptr && !worker->peer.empty()) {
    turn.to_worker(worker->peer, CancelAttempt{{id, attempt.epoch}});
  }
  return true;
}

std::vector<RunId> RunFlow::live_runs_of(std::optional<ModuleId> module, std::optional<GroupRunId> group) const {
  std::vector<RunId> ids;
  for (const auto& [id, run] : runs_) {
    if ((module && run.module == *module) || (group && run.group_run == group)) ids.push_back(id);
  }
  return ids;
}

void RunFlow::forgive(MonoTime::duration stall, MonoTime now) {
  const auto lease = workers_.lease();
  for (auto& [epoch, attempt] : attempts_) {
    attempt.deadline = workers_.after_stall(attempt.deadline, stall, now + lease);
  }
  for (auto& [id, run] : runs_) {
    if (run.reconcile_until) run.reconcile_until = workers_.after_stall(*run.reconcile_until, stall, now + 2 * lease);
  }
}

std::optional<MonoTime> RunFlow::next_lease_end() const {
  std::optional<MonoTime> next;
  for (const auto& [epoch, attempt] : attempts_) next = std::min(next.value_or(attempt.deadline), attempt.deadline);
  return next;
}

std::optional<MonoTime> RunFlow::next_deadline(MonoTime now) const {
  std::optional<MonoTime> next;
  const auto consider = [&](MonoTime at) { next = std::min(next.value_or(at), at); };
  for (const auto id : timed_) {
    const auto& run = runs_.at(id);
    if (run.eligible_at > now) consider(run.eligible_at);
    if (run.reconcile_until) consider(*run.reconcile_until);
  }
  return next;
}

const RunFlow::LiveRun* RunFlow::live_run(RunId id) const {
  const auto found = runs_.find(id);
  return found == runs_.end() ? nullptr : &found->second;
}

Json RunFlow::row_json(const LiveRun& run, MonoTime now) const {
  const auto* attempt = run.attempt ? &attempts_.at(*run.attempt) : nullptr;
  Json row = {{"run_id", run.id.value},
              {"module_name", run.definition->name},
              {"status", attempt != nullptr ? "running" : "queued"},
              {"worker", attempt != nullptr ? Json(attempt->worker) : Json()},
              {"step", run.step},
              {"step_ms", nullptr},
              {"rows", run.rows ? Json(*run.rows) : Json()},
              {"queued_at", to_iso(from_ms(run.queued_at))},
              {"started_at", run.started_at ? Json(to_iso(from_ms(*run.started_at))) : Json()}};
  if (run.step_began) row["step_ms"] = std::chrono::floor<Millis>(now - *run.step_began).count();
  return row;
}

Json RunFlow::live_json(MonoTime now) const {
  auto list = Json::array();
  for (const auto& [id, run] : runs_) list.push_back(row_json(run, now));
  return list;
}

Json RunFlow::live_json(RunId id, MonoTime now) const {
  const auto* run = live_run(id);
  if (run == nullptr) return {};
  auto row = row_json(*run, now);
  if (!run->attempt) return row;
  row["epoch"] = run->attempt->value;
  row["line"] = run->line;
  row["steps"] = store::attempts::steps_json(steps_until(*run, attempts_.at(*run->attempt), now));
  return row;
}

}  // namespace pipekit
