#include "broker/group_flow.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "broker/definitions/definitions.h"

namespace pipekit {

namespace {

int64_t members_of(store::Database& db, GroupRunId group_run) {
  return db.value<int64_t>("SELECT count(*) FROM group_run_member WHERE group_run_id = ?", group_run).value_or(0);
}

}  // namespace

std::string worst_status(const std::vector<std::string>& statuses, bool dry_run) {
  for (const auto* status : {"error", "cancelled", "success", "dry_run"}) {
    if (std::ranges::find(statuses, status) != statuses.end()) return status;
  }
  return dry_run ? "dry_run" : "success";
}

Result<GroupFlow::Started> GroupFlow::start(Turn& turn, const Json& group, bool dry_run,
                                            const std::string& triggered_by) {
  const auto id = definitions::resolve(db_, Kind::group, group);
  if (!id) return id.error();
  const auto inserted = db_.run(
      "INSERT INTO group_run (group_id, group_name, stop_on_failure, dry_run, started_at, status, triggered_by,"
      " queued_seq) SELECT id, name, stop_on_failure, ?, ?, 'running', ?, ? FROM grp WHERE id = ?"
      " ON CONFLICT (group_id) WHERE status IN ('queued', 'running') DO NOTHING",
      dry_run, to_ms(turn.wall), triggered_by, turn.next_seq(), *id);
  if (inserted == 0) {
    const auto live = live_run_of(Json(*id));
    return Error{ErrorCode::kAlreadyRunning,
                 fmt::format("the group is already running: group run {}", live ? live->value : 0),
                 fmt::format("look at it with: pipekit-ctl group-runs show {}", live ? live->value : 0)};
  }
  const GroupRunId group_run{db_.last_insert_id()};
  snapshot_members(group_run, *id);
  const auto loaded = load_live(group_run);
  const auto seq = turn.emit(
      event("group_run.started", *loaded, {{"triggered_by", triggered_by}, {"members", members_of(db_, group_run)}}));
  advance(turn, group_run);
  return Started{group_run, seq};
}

void GroupFlow::snapshot_members(GroupRunId group_run, int64_t group) {
  db_.run(
      "INSERT INTO group_run_member (group_run_id, position, run_order, module_id, module_name)"
      " SELECT ?, row_number() OVER (ORDER BY gm.run_order, gm.id), gm.run_order, m.id, m.name"
      " FROM group_member gm JOIN module m ON m.id = gm.module_id WHERE gm.group_id = ? AND m.enabled = 1",
      group_run, group);
}

std::optional<GroupRunId> GroupFlow::live_run_of(const Json& group) const {
  const auto id = definitions::find_group(db_, group);
  if (!id) return std::nullopt;
  return db_.value<GroupRunId>("SELECT id FROM group_run WHERE group_id = ? AND status IN ('queued', 'running')", *id);
}

std::optional<GroupFlow::GroupRun> GroupFlow::load_live(GroupRunId id) const {
  auto rows = db_.query(
      "SELECT group_id, group_name, stop_on_failure, dry_run, cancel_requested, triggered_by FROM group_run"
      " WHERE id = ? AND status IN ('queued', 'running')",
      id);
  if (!rows.next()) return std::nullopt;
  GroupRun group_run{id,
                     rows.get<int64_t>(0),
                     rows.get<std::string>(1),
                     rows.get<bool>(2),
                     rows.get<bool>(3),
                     rows.get<bool>(4),
                     rows.get<std::string>(5)};
  return group_run;
}

void GroupFlow::advance(Turn& turn, GroupRunId id) {
  const auto group_run = load_live(id);
  if (!group_run || has_running_member(id)) return;
  close_rest(*group_run);
  while (const auto order = next_stage(id)) {
    if (start_stage(turn, *group_run, *order)) return;
    close_rest(*group_run);
  }
  finish(turn, *group_run);
}

bool GroupFlow::has_running_member(GroupRunId id) const {
  return db_
      .value<int64_t>("SELECT 1 FROM group_run_member WHERE group_run_id = ? AND status IS NULL AND run_id IS NOT NULL",
                      id)
      .has_value();
}

std::optional<int64_t> GroupFlow::next_stage(GroupRunId id) const {
  return db_.value<int64_t>(
      "SELECT min(run_order) FROM group_run_member WHERE group_run_id = ? AND status IS NULL AND run_id IS NULL", id);
}

void GroupFlow::close_rest(const GroupRun& group_run) {
  const auto failed = db_.value<std::string>(
      "SELECT module_name FROM group_run_member WHERE group_run_id = ? AND status IN ('error', 'cancelled')"
      " ORDER BY position LIMIT 1",
      group_run.id);
  const bool stop = group_run.stop_on_failure && failed;
  if (!group_run.cancel_requested && !stop) return;
  db_.run(
      "UPDATE group_run_member SET status = 'cancelled', error = ? WHERE group_run_id = ? AND status IS NULL"
      " AND run_id IS NULL",
      group_run.cancel_requested ? "the group run was cancelled" : "not run: " + *failed + " failed", group_run.id);
}

// False when no member of the stage could be started.
bool GroupFlow::start_stage(Turn& turn, const GroupRun& group_run, int64_t run_order) {
  std::vector<Member> members;
  {
    auto rows = db_.query(
        "SELECT position, module_id FROM group_run_member WHERE group_run_id = ? AND status IS NULL AND run_id IS NULL"
        " AND run_order = ? ORDER BY position",
        group_run.id, run_order);
    while (rows.next()) members.push_back({rows.get<int64_t>(0), rows.get<ModuleId>(1)});
  }
  bool started = false;
  for (const auto& member : members) {
    const auto module = modules_.find(Json(member.module.value));
    if (!module) {
      end_member(group_run.id, member.position, "error", module.error().message);
      continue;
    }
    Submission submission;
    submission.module = *module;
    submission.group_run = group_run.id;
    submission.dry_run = group_run.dry_run;
    submission.triggered_by = group_run.triggered_by;
    const auto submitted = runs_.submit(turn, submission);
    if (!submitted) {
      end_member(group_run.id, member.position, "error", submitted.error().message);
      continue;
    }
    db_.run("UPDATE group_run_member SET run_id = ? WHERE group_run_id = ? AND position = ?", submitted->run,
            group_run.id, member.position);
    started = true;
  }
  return started;
}

void GroupFlow::end_member(GroupRunId group_run, int64_t position, const std::string& status,
                           const std::string& error) {
  db_.run(
      "UPDATE group_run_member SET status = ?, error = ? WHERE group_run_id = ? AND position = ? AND status IS NULL",
      status, error, group_run, position);
}

void GroupFlow::member_ended(Turn& turn, RunId run, GroupRunId group_run, const store::runs::End& end) {
  db_.run(
      "UPDATE group_run_member SET status = ?, error = ? WHERE group_run_id = ? AND run_id = ? AND status IS NULL"
      " AND run_id IS NOT NULL",
      end.status, end.error, group_run, run);
  advance(turn, group_run);
}

void GroupFlow::finish(Turn& turn, const GroupRun& group_run) {
  std::vector<std::string> statuses;
  {
    auto rows = db_.query("SELECT DISTINCT status FROM group_run_member WHERE group_run_id = ?", group_run.id);
    while (rows.next()) statuses.push_back(rows.get<std::string>(0));
  }
  const auto members = members_of(db_, group_run.id);
  const auto status = worst_status(statuses, group_run.dry_run);
  const auto* note = members == 0 ? "the group has no enabled member" : "";
  db_.run(
      "UPDATE group_run SET status = ?, finished_at = ?, note = ?, finished_seq = ? WHERE id = ?"
      " AND status IN ('queued', 'running')",
      status, to_ms(turn.wall), note, turn.next_seq(), group_run.id);
  turn.emit(event("group_run.finished", group_run, {{"status", status}, {"members", members}}));
  if (on_ended_) on_ended_(group_run.group);
}

bool GroupFlow::cancel(Turn& turn, GroupRunId id) {
  const auto changed =
      db_.run("UPDATE group_run SET cancel_requested = 1 WHERE id = ? AND status IN ('queued', 'running')", id);
  if (changed == 0) return false;
  for (const auto run : runs_.live_runs_of(std::nullopt, id)) runs_.cancel(turn, run);
  advance(turn, id);
  return true;
}

Event GroupFlow::event(const std::string& kind, const GroupRun& group_run, Json fields) const {
  Event event;
  event.kind = kind;
  event.group_run_id = group_run.id.value;
  event.fields = std::move(fields);
  event.fields["group_name"] = group_run.name;
  return event;
}

}  // namespace pipekit
