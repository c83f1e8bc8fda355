#include "broker/scheduler.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "shared/planted_fault.h"

namespace pipekit {
namespace {

FireTime to_seconds(WallTime wall) { return std::chrono::floor<std::chrono::seconds>(wall); }
FireTime from_store(int64_t ms) { return to_seconds(from_ms(ms)); }
int64_t to_store(FireTime t) { return to_ms(WallTime{t}); }

Event schedule_event(const char* kind, int64_t id, const std::string& group, const Outcome& outcome) {
  Event event;
  event.kind = kind;
  event.fields = {{"schedule_id", id}, {"group_name", group}, {"nominal_at", to_iso(WallTime{outcome.nominal_at})}};
  return event;
}

}  // namespace

Scheduler::Scheduler(store::Database& db, GroupFlow& groups) : db_(db), groups_(groups) { read_all(std::nullopt); }

void Scheduler::reload(WallTime wall) { read_all(wall); }

void Scheduler::read_all(std::optional<WallTime> edited_at) {
  auto before = std::move(schedules_);
  schedules_.clear();
  queue_.clear();
  std::vector<int64_t> edited;
  auto rows = db_.query(
      "SELECT s.id, s.group_id, g.name, s.kind, s.cron_expr, s.every_s, s.timezone, s.misfire, s.considered_at"
      " FROM schedule s JOIN grp g ON g.id = s.group_id WHERE s.enabled = 1 ORDER BY s.id");
  while (rows.next()) {
    const auto id = rows.get<int64_t>(0);
    const auto cron = rows.get<std::string>(4);
    const auto every = rows.get<int64_t>(5);
    const auto zone = rows.get<std::string>(6);
    auto schedule = rows.get<std::string>(3) == "cron" ? Schedule::cron(cron, zone)
                                                       : Schedule::interval(std::chrono::seconds{every});
    if (!schedule) {  // checked when it was defined; the host's time zones may have changed since
      spdlog::error("schedule {} of group {} does not fire: {}", id, rows.get<std::string>(2),
                    schedule.error().message);
      continue;
    }
    Entry entry{rows.get<int64_t>(1),
                rows.get<std::string>(2),
                fmt::format("{}|{}|{}", cron, every, zone),
                std::move(*schedule),
                misfire_from(rows.get<std::string>(7)).value_or(Misfire::kLatest),
                from_store(rows.get<int64_t>(8)),
                std::nullopt};
    const auto known = before.find(id);
    const bool as_before = known != before.end() && known->second.definition == entry.definition;
    if (edited_at && !as_before) {
      entry.considered = std::max(entry.considered, to_seconds(*edited_at));
      edited.push_back(id);
    }
    enqueue(id, schedules_.emplace(id, std::move(entry)).first->second);
  }
  for (const auto id : edited) {
    db_.run("UPDATE schedule SET considered_at = ? WHERE id = ?", to_store(schedules_.at(id).considered), id);
  }
}

void Scheduler::enqueue(int64_t id, Entry& entry) {
  entry.due = entry.schedule.next(entry.considered);
  if (entry.due) queue_.insert({*entry.due, id});
}

void Scheduler::dequeue(int64_t id, Entry& entry) {
  if (entry.due) queue_.erase({*entry.due, id});
  entry.due.reset();
}

void Scheduler::fire(Turn& turn) {
  const auto now = to_seconds(turn.wall);
  while (!queue_.empty() && queue_.begin()->first <= now) {
    const auto id = queue_.begin()->second;
    consider_one(turn, id, schedules_.at(id));
  }
}

void Scheduler::consider_one(Turn& turn, int64_t id, Entry& entry) {
  dequeue(id, entry);
  for (const auto& outcome : consider(entry.schedule, entry.considered, to_seconds(turn.wall), entry.misfire)) {
    if (!act_on(turn, id, entry, outcome)) {
      entry.waits = true;
      return;
    }
    entry.considered = outcome.until_at;
    if (PLANTED("ledger_uniqueness_dropped")) continue;
    db_.run("UPDATE schedule SET considered_at = ?, last_fired_at = iif(?, ?, last_fired_at) WHERE id = ?",
            to_store(outcome.until_at), outcome.fires, to_ms(turn.wall), id);
  }
  enqueue(id, entry);
}

bool Scheduler::act_on(Turn& turn, int64_t id, Entry& entry, const Outcome& outcome) {
  if (!outcome.fires) {
    record_missed(turn, id, entry, outcome);
    return true;
  }
  const auto started = groups_.start(turn, Json(entry.group), false, fmt::format("schedule:{}", id));
  if (started) {
    record(turn, id, entry, outcome, "fired", outcome.reason, started->group_run);
    return true;
  }
  const bool busy = started.error().code == ErrorCode::kAlreadyRunning;
  if (busy && entry.misfire == Misfire::kAll) return false;
  record(turn, id, entry, outcome, busy ? "overlap" : "skipped", started.error().message, std::nullopt);
  return true;
}

void Scheduler::record_missed(Turn& turn, int64_t id, const Entry& entry, const Outcome& outcome) {
  // One row for what was missed in a row, also over several restarts.
  const auto joined = db_.run(
      "UPDATE schedule_fire SET until_at = ?, count = count + ? WHERE schedule_id = ? AND outcome = 'missed'"
      " AND until_at = ?",
      to_store(outcome.until_at), outcome.count, id, to_store(entry.considered));
  if (joined == 0) {
    record(turn, id, entry, outcome, "missed", outcome.reason, std::nullopt);
    return;
  }
  auto event = schedule_event("schedule.skipped", id, entry.group_name, outcome);
  event.fields["outcome"] = "missed";
  event.fields["count"] = outcome.count;
  turn.emit(std::move(event));
}

void Scheduler::record(Turn& turn, int64_t id, const Entry& entry, const Outcome& outcome, const char* word,
                       const std::string& reason, std::optional<GroupRunId> group_run) {
  if (PLANTED("ledger_uniqueness_dropped")) {
    db_.run("DELETE FROM schedule_fire WHERE schedule_id = ? AND nominal_at = ?", id, to_store(outcome.nominal_at));
  }
  db_.run(
      "INSERT INTO schedule_fire (schedule_id, nominal_at, until_at, count, outcome, reason, group_run_id)"
      " VALUES (?, ?, ?, ?, ?, ?, ?)",
      id, to_store(outcome.nominal_at), to_store(outcome.until_at), outcome.count, word, reason, group_run);
  auto event = schedule_event(group_run ? "schedule.fired" : "schedule.skipped", id, entry.group_name, outcome);
  event.fields["outcome"] = word;
  if (outcome.count > 1) event.fields["count"] = outcome.count;
  if (!reason.empty()) event.fields["reason"] = reason;
  if (group_run) event.group_run_id = group_run->value;
  turn.emit(std::move(event));
}

void Scheduler::group_ended(int64_t group) {
  for (auto& [id, entry] : schedules_) {
    if (entry.group != group || !entry.waits) continue;
    entry.waits = false;
    enqueue(id, entry);
  }
}

std::optional<WallTime> Scheduler::next_due() const {
  if (queue_.empty()) return std::nullopt;
  return WallTime{queue_.begin()->first};
}

}  // namespace pipekit
