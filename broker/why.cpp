#include "broker/why.h"

#include <fmt/format.h>

#include <algorithm>

#include "broker/definitions/definitions.h"
#include "broker/next_fire.h"
#include "shared/plural.h"

namespace pipekit {
namespace {

constexpr size_t kMostNamed = 5;  // in one sentence
constexpr auto kStartOne = "start one: pipekit-worker --name NAME";

std::string span(MonoTime::duration time) {
  const auto seconds = std::max<int64_t>(std::chrono::round<std::chrono::seconds>(time).count(), 0);
  if (seconds < 120) return fmt::format("{} s", seconds);
  if (seconds < 7200) return fmt::format("{} min", seconds / 60);
  return seconds < 172'800 ? fmt::format("{} h", seconds / 3600) : fmt::format("{} days", seconds / 86'400);
}

std::string shortened(const std::vector<std::string>& names) {
  const auto shown = std::min(names.size(), kMostNamed);
  const auto some = std::vector(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown));
  const auto rest = names.size() - shown;
  return fmt::format("{}{}", fmt::join(some, ", "), rest == 0 ? "" : fmt::format(" and {} more", rest));
}

std::string named(const std::vector<int64_t>& runs) {
  if (runs.empty()) return {};
  std::vector<std::string> ids;
  for (const auto run : runs) ids.push_back(std::to_string(run));
  return fmt::format(" ({} {})", runs.size() == 1 ? "run" : "runs", shortened(ids));
}

}  // namespace

void Why::add(const char* code, std::string text, std::string hint, Json more) {
  Json reason = {{"code", code}, {"text", std::move(text)}};
  if (!hint.empty()) reason["hint"] = std::move(hint);
  reason.update(more);
  reasons_.push_back(std::move(reason));
}

std::string Why::after(MonoTime time) const { return to_iso(wall_ + std::chrono::floor<Millis>(time - now_)); }

Result<Json> Why::of_run(RunId id) {
  if (const auto* run = runs_.live_run(id)) {
    add_live(*run, fmt::format("run {} is ", id.value));
    return answer();
  }
  if (!store::runs::status_of(db_, id)) {
    return Error{ErrorCode::kNotFound, fmt::format("there is no run {}", id.value),
                 "list them with: pipekit-ctl runs list"};
  }
  add_ended(id);
  return answer();
}

Result<Json> Why::of_group_run(GroupRunId group_run) {
  for (const auto id : runs_.live_runs_of(std::nullopt, group_run)) {
    add_live(*runs_.live_run(id), fmt::format("run {} of {} is ", id.value, runs_.live_run(id)->definition->name));
  }
  return answer();
}

Result<Json> Why::of_module(const Json& ref) {
  const auto module = modules_.find(ref);
  if (!module) return module.error();
  const auto& name = module->definition->name;
  if (!module->enabled) {
    add("disabled", fmt::format("module {} is disabled: no new runs will start", name),
        fmt::format("pipekit-ctl module enable {}", name));
  }
  if (const auto live = runs_.live_runs_of(module->id, std::nullopt); !live.empty()) {
    add_live(*runs_.live_run(live.front()), fmt::format("locked by run {}, which is ", live.front().value));
    return answer();
  }
  const auto last = store::runs::last_of(db_, module->id);
  const auto status = last ? store::runs::status_of(db_, *last).value_or("") : "";
  const bool failed = status == "error" || status == "cancelled";
  add_group_under_way(module->id);
  if (failed) add_ended(*last);
  if (module->enabled) add_skipped(*module, last);
  if (module->enabled) add_schedules(*module);
  if (last && !failed) add_ended(*last);
  if (!last) {
    add("never_run", fmt::format("module {} has not run yet", name),
        module->enabled ? fmt::format("pipekit-ctl run {} --watch", name) : "");
  }
  return answer();
}

void Why::add_ended(RunId run) {
  const auto status = store::runs::status_of(db_, run).value_or("");
  auto words = fmt::format("run {} has ended: {}", run.value, status);
  Json more = {{"run_id", run.value}, {"status", status}};
  if (const auto hooks = store::runs::hooks_failed(db_, run); hooks > 0) {
    words += fmt::format(", {} failed", count_of(hooks, "hook"));
    more["hooks_failed"] = hooks;
  }
  if (const auto error = store::runs::error_of(db_, run); !error.empty()) words += ": " + error;
  add("ended", std::move(words), fmt::format("pipekit-ctl runs show {}", run.value), std::move(more));
  for (const auto& name : store::runs::defaulted_in(db_, run)) {
    add("defaulted",
        fmt::format("run {} used default_value for watermark {}: its resolver_sql returned NULL, although the module "
                    "had succeeded before",
                    run.value, name),
        fmt::format("pipekit-ctl runs show {}", run.value), {{"run_id", run.value}, {"watermark", name}});
  }
}

void Why::add_group_under_way(ModuleId module) {
  // By the index of live group runs; sorted by id itself it would read all of them.
  auto rows = db_.query(
      "SELECT g.id, g.group_name, g.cancel_requested, (SELECT f.module_name FROM group_run_member f"
      " WHERE f.group_run_id = g.id AND f.status IN ('error', 'cancelled') AND g.stop_on_failure ORDER BY f.position),"
      " (SELECT json_group_array(o.module_name) FROM group_run_member o"
      " WHERE o.group_run_id = g.id AND o.run_id IS NOT NULL AND o.status IS NULL)"
      " FROM group_run g CROSS JOIN group_run_member m ON m.group_run_id = g.id"
      " WHERE g.status IN ('queued', 'running') AND m.module_id = ? AND m.run_id IS NULL AND m.status IS NULL"
      " ORDER BY +g.id",
      module);
  while (rows.next()) {
    const auto id = rows.get<int64_t>(0);
    const auto group = rows.get<std::string>(1);
    const auto failed = rows.get<std::optional<std::string>>(3);
    const auto now_at = shortened(Json::parse(rows.get<std::string>(4)).get<std::vector<std::string>>());
    auto rest = fmt::format("and is now at {}: this module comes later", now_at);
    if (rows.get<int64_t>(2) != 0) rest = "and is being cancelled: this module will not run";
    if (failed) rest = fmt::format("but {} has failed: this module will not run", *failed);
    add("group_under_way", fmt::format("its group {} is running (group run {}), {}", group, id, rest),
        fmt::format("pipekit-ctl group-runs show {}", id), {{"group", group}, {"group_run_id", id}});
  }
}

void Why::add_skipped(const Module& module, std::optional<RunId> last) {
  // What it has run since is no reason any more.
  const auto ran = last ? db_.value<int64_t>("SELECT queued_at FROM run_log WHERE id = ?", *last).value_or(0) : 0;
  auto rows = db_.query(
      "SELECT g.name, s.id, f.nominal_at, f.until_at, f.count, f.outcome, f.reason FROM group_member m"
      " CROSS JOIN grp g ON g.id = m.group_id CROSS JOIN schedule s ON s.group_id = g.id AND s.enabled"
      " JOIN schedule_fire f ON f.schedule_id = s.id"
      " AND f.nominal_at = (SELECT max(nominal_at) FROM schedule_fire WHERE schedule_id = s.id)"
      " WHERE m.module_id = ? AND f.outcome <> 'fired' AND f.until_at > ? ORDER BY f.nominal_at DESC, s.id",
      module.id, ran);
  while (rows.next()) {
    const auto group = rows.get<std::string>(0);
    const auto at = to_iso(from_ms(rows.get<int64_t>(2)));
    const auto count = rows.get<int64_t>(4);
    const auto reason = rows.get<std::string>(6);
    const auto times =
        count == 1 ? at : fmt::format("{} times, {} to {}", count, at, to_iso(from_ms(rows.get<int64_t>(3))));
    add("skipped",
        fmt::format("its group {} was not run at {}: {}{}{}", group, times, rows.get<std::string>(5),
                    reason.empty() ? "" : ", ", reason),
        fmt::format("pipekit-ctl schedule audit --group {}", group),
        {{"group", group}, {"schedule_id", rows.get<int64_t>(1)}, {"since", at}});
  }
}

void Why::add_live(const RunFlow::LiveRun& run, const std::string& prefix) {
  if (run.attempt) {
    add_running(run, prefix);
  } else {
    add_queued(run, prefix);
  }
}

std::string Why::step_text(const RunFlow::LiveRun& run) const {
  if (run.step.empty()) return {};
  auto text = ", at the step " + run.step;
  if (run.step == "assigned") text = ", where it has not begun yet";
  if (run.step_began) text += fmt::format(" for {}", span(now_ - *run.step_began));
  if (run.rows) text += fmt::format(" ({})", count_of(*run.rows, "row"));
  return text;
}

void Why::add_running(const RunFlow::LiveRun& run, const std::string& prefix) {
  const auto& attempt = runs_.attempts().at(*run.attempt);
  Json more = {{"run_id", run.id.value}, {"status", "running"}, {"worker", attempt.worker}, {"step", run.step}};
  if (run.started_at) more["since"] = to_iso(from_ms(*run.started_at));
  const auto& workers = runs_.workers().all();
  const auto worker = workers.find(attempt.worker);
  const bool present =
      worker != workers.end() && worker->second.incarnation == attempt.incarnation && !worker->second.peer.empty();
  if (present && !runs_.workers().silent(worker->second, now_)) {
    auto text = fmt::format("{}running on worker {}", prefix, attempt.worker) + step_text(run);
    return add("running", std::move(text), fmt::format("pipekit-ctl runs logs {} -f", run.id.value), std::move(more));
  }
  more["until"] = after(attempt.deadline);
  const bool revoked = worker != workers.end() && worker->second.revoked;
  const auto heard = present   ? fmt::format("last heard from {} ago", span(now_ - worker->second.heard))
                     : revoked ? std::string("whose key was revoked")
                               : std::string("not heard from since the broker started");
  auto text = fmt::format("{}on worker {}, {}{}: its lease ends in {}, and then it counts as lost", prefix,
                          attempt.worker, heard, step_text(run), span(attempt.deadline - now_));
  add("silent_worker", std::move(text),
      revoked ? "see who revoked it: pipekit-ctl audit list --verb keys.revoke"
              : "check that worker and the network to it",
      std::move(more));
}

std::vector<int64_t> Why::holders(const std::vector<std::string>& tags) const {
  std::vector<int64_t> ids;
  const auto& workers = runs_.workers().all();
  for (const auto& [epoch, attempt] : runs_.attempts()) {
    const auto worker = workers.find(attempt.worker);
    if (worker != workers.end() && has_tags(worker->second.tags, tags)) ids.push_back(attempt.run.value);
  }
  std::ranges::sort(ids);
  return ids;
}

std::vector<int64_t> Why::holders(const std::string& connection) const {
  std::vector<int64_t> ids;
  for (const auto& [epoch, attempt] : runs_.attempts()) {
    const auto& uses = runs_.live_run(attempt.run)->needs.uses;
    if (std::ranges::find(uses, connection, &std::pair<std::string, int64_t>::first) != uses.end()) {
      ids.push_back(attempt.run.value);
    }
  }
  std::ranges::sort(ids);
  return ids;
}

void Why::add_no_worker(const RunFlow::LiveRun& run, const std::string& prefix) {
  const Json more = {{"run_id", run.id.value}, {"status", "queued"}};
  std::vector<std::string> unfit;
  std::string drained;
  for (const auto& [name, worker] : runs_.workers().all()) {
    if (worker.revoked) {
      unfit.push_back(fmt::format("the key of {} was revoked", name));
    } else if (worker.peer.empty()) {
      unfit.push_back(fmt::format("{} has not reconnected since the broker started", name));
    } else if (worker.drained) {
      unfit.push_back(name + " is drained");
      drained = name;
    } else if (worker.draining) {
      unfit.push_back(name + " is draining");
    } else {
      unfit.push_back(fmt::format("{} was last heard from {} ago", name, span(now_ - worker.heard)));
    }
  }
  if (unfit.empty()) return add("no_worker", prefix + "queued: no worker is connected", kStartOne, more);
  add("no_worker", fmt::format("{}queued: no worker accepts runs now: {}", prefix, fmt::join(unfit, ", ")),
      drained.empty() ? std::string(kStartOne) : fmt::format("pipekit-ctl workers resume {}", drained), more);
}

void Why::add_queued(const RunFlow::LiveRun& run, const std::string& prefix) {
  Json more = {{"run_id", run.id.value}, {"status", "queued"}};
  if (run.eligible_at > now_) {
    more["until"] = after(run.eligible_at);
    const auto left = std::chrono::ceil<std::chrono::seconds>(run.eligible_at - now_).count();
    return add("retry_wait",
               fmt::format("{}queued: waiting to retry until {}, in {} s: {}", prefix, after(run.eligible_at), left,
                           run.pending_error),
               {}, std::move(more));
  }
  const auto vacancies = runs_.vacancies(now_);
  const auto met = obstacle(run.needs, vacancies, runs_.sessions());
  const auto& tags = run.needs.tags;
  switch (met.kind) {
    case Obstacle::Kind::none:
      return add("starting", prefix + "queued: it starts now", {}, std::move(more));
    case Obstacle::Kind::no_worker:
      return add_no_worker(run, prefix);
    case Obstacle::Kind::no_tags:
      return add("no_worker_with_tags",
                 fmt::format("{}queued: no worker has the {} {}, which its connections require", prefix,
                             tags.size() == 1 ? "tag" : "tags", fmt::join(tags, ", ")),
                 fmt::format("start one: pipekit-worker --name NAME --tag {}", fmt::join(tags, " --tag ")),
                 std::move(more));
    case Obstacle::Kind::no_driver:
      more["driver"] = met.name;
      return add("no_worker_with_driver",
                 fmt::format("{}queued: no worker{} has the driver {}", prefix,
                             tags.empty() ? "" : fmt::format(" with the tags {}", fmt::join(tags, ", ")), met.name),
                 fmt::format("start one whose runner has it: pipekit-worker --name NAME --driver {}", met.name),
                 std::move(more));
    case Obstacle::Kind::too_old:
      return add("no_worker_new_enough",
                 prefix + "queued: the workers that could take it are too old for merge_method: update",
                 "upgrade a worker", std::move(more));
    case Obstacle::Kind::connection_full: {
      const auto ids = holders(met.name);
      const auto used = runs_.sessions().at(met.name);
      const auto asked = used - static_cast<int64_t>(ids.size());
      const auto questions = asked > 0 ? fmt::format(", {} of a test or preview", asked) : std::string();
      more.update({{"connection", met.name}, {"runs", ids}});
      return add("connection_full",
                 fmt::format("{}queued: connection {} is full ({} of {} sessions{}){}", prefix, met.name, used,
                             met.max_sessions, questions, named(ids)),
                 fmt::format("to allow more at once: pipekit-ctl connection update {} --max-sessions N", met.name),
                 std::move(more));
    }
    case Obstacle::Kind::no_slot: {
      const auto ids = holders(tags);
      more["runs"] = ids;
      return add("no_free_slot",
                 fmt::format("{}queued: no free slot on a worker that may run it{}", prefix, named(ids)),
                 "start another worker, or restart one with more --slots", std::move(more));
    }
  }
}

void Why::add_schedules(const Module& module) {
  auto rows = db_.query("SELECT group_id FROM group_member WHERE module_id = ? ORDER BY group_id", module.id);
  bool member = false;
  while (rows.next()) {
    member = true;
    if (auto group = definitions::show(db_, Kind::group, rows.get<int64_t>(0))) {
      add_next_fire_of_group(*group, std::chrono::floor<std::chrono::seconds>(wall_));
      add_schedule_of(*group);
    }
  }
  if (member) return;
  const auto& name = module.definition->name;
  add("not_scheduled", fmt::format("module {} is in no group: it runs only when you start it", name),
      fmt::format("pipekit-ctl group add-member GROUP {}", name));
}

void Why::add_schedule_of(const Json& group) {
  const std::string name = group.at("name");
  bool broken = false;
  for (const auto& schedule : group.at("schedules")) {
    const auto& reason = schedule.at("does_not_fire");
    if (reason.is_null()) continue;
    broken = true;
    const auto id = schedule.at("id").get<int64_t>();
    add("schedule_does_not_fire",
        fmt::format("schedule {} of its group {} does not fire: {}", id, name, reason.get<std::string>()),
        fmt::format("change it with pipekit-ctl schedule update {0}, or pipekit-ctl schedule disable {0}", id),
        {{"group", name}, {"schedule_id", id}});
  }
  const auto& next = group.at("next_fire_at");
  if (!next.is_null()) {
    const Json more = {{"group", name}, {"until", next}};
    return add("scheduled", fmt::format("idle until its group {} runs next, at {}", name, next.get<std::string>()), {},
               more);
  }
  const auto& schedules = group.at("schedules");
  if (schedules.empty()) {
    return add("not_scheduled", fmt::format("its group {} has no schedule", name),
               fmt::format("pipekit-ctl schedule add {} --cron-expr '0 2 * * *'", name), {{"group", name}});
  }
  if (broken) return;
  const bool one = schedules.size() == 1;
  add("paused",
      fmt::format("its group {} is paused: {} disabled", name, one ? "its schedule is" : "all its schedules are"),
      fmt::format("pipekit-ctl schedule enable {}", schedules.front().at("id").get<int64_t>()), {{"group", name}});
}

}  // namespace pipekit
