#include "broker/scheduler.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "shared/planted_fault.h"

namespace pipekit {
namespace {

FireTime to_seconds(WallTime wall) { return std::chrono::floor<std::chrono::seconds>(wall); }
FireTime from_store(int64_t ms) { return to_seconds(from_ms(ms)); }
int64_t to_store(FireTime t) { return to_ms(WallTime{t}); }

Event state_event(const char* kind, int64_t id, const std::string& group, const std::string& reason) {
  Event event;
  event.kind = kind;
  event.fields = {{"schedule_id", id}, {"group_name", group}, {"reason", reason}};
  return event;
}

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
  auto broken_before = std::move(broken_);
  schedules_.clear();
  broken_.clear();
  queue_.clear();
  waiting_.clear();
  clock_.reset();
  try_again_.reset();
  std::vector<int64_t> edited;
  auto rows = db_.query(
      "SELECT s.id, s.group_id, g.name, s.kind, s.cron_expr, s.every_s, s.timezone, s.misfire, s.considered_at"
      " FROM schedule s JOIN grp g ON g.id = s.group_id WHERE s.enabled = 1 ORDER BY s.id");
  while (rows.next()) {
    const auto id = rows.get<int64_t>(0);
    const auto group_name = rows.get<std::string>(2);
    const auto cron = rows.get<std::string>(4);
    const auto every = rows.get<int64_t>(5);
    const auto zone = rows.get<std::string>(6);
    auto schedule = rows.get<std::string>(3) == "cron" ? Schedule::cron(cron, zone)
                                                       : Schedule::interval(std::chrono::seconds{every});
    const auto was_broken = broken_before.find(id);
    if (!schedule) {  // checked when it was defined; the host's time zones may have changed since
      const auto& reason = broken_[id] = schedule.error().message;
      if (was_broken != broken_before.end() && was_broken->second == reason) continue;
      spdlog::error("schedule {} of group {} does not fire: {}", id, group_name, reason);
      untold_.push_back(state_event("schedule.stopped", id, group_name, reason));
      continue;
    }
    if (was_broken != broken_before.end()) {
      spdlog::info("schedule {} of group {} fires again", id, group_name);
      untold_.push_back(state_event("schedule.resumed", id, group_name, "its definition can be read again"));
    }
    Entry entry{rows.get<int64_t>(1),
                group_name,
                fmt::format("{}|{}|{}", cron, every, zone),
                std::move(*schedule),
                misfire_from(rows.get<std::string>(7)).value_or(Misfire::kLatest),
                from_store(rows.get<int64_t>(8)),
                std::nullopt};
    const auto known = before.find(id);
    const bool as_before = known != before.end() && known->second.definition == entry.definition;
    if (edited_at && !as_before && was_broken == broken_before.end()) {
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
  if (entry.due) queue_.insert({*entry.due, entry.group, id});
}

void Scheduler::dequeue(int64_t id, Entry& entry) {
  if (entry.due) queue_.erase({*entry.due, entry.group, id});
  entry.due.reset();
}

void Scheduler::fire(Turn& turn) {
  if (!broken_.empty()) try_again(turn);
  look_at_clock(turn);
  for (auto& event : std::exchange(untold_, {})) turn.emit(std::move(event));
  const auto now = to_seconds(turn.wall);
  const auto most = turn.next_seq() + kEventsPerTurn;
  std::optional<std::pair<FireTime, int64_t>> together;
  while (!queue_.empty() && queue_.begin()->at <= now) {
    const auto due = *queue_.begin();
    if (turn.next_seq() >= most && together != std::pair(due.at, due.group)) return;
    together = {due.at, due.group};
    consider_one(turn, due.id, schedules_.at(due.id), most);
  }
}

void Scheduler::try_again(Turn& turn) {
  if (!try_again_) try_again_ = turn.wall + kTryAgain;
  // Or the clock was set back.
  if (turn.wall < *try_again_ && *try_again_ <= turn.wall + kTryAgain) return;
  read_all(std::nullopt);
  if (!broken_.empty()) try_again_ = turn.wall + kTryAgain;
}

void Scheduler::look_at_clock(Turn& turn) {
  const bool went_on = clock_ && turn.wall >= *clock_;
  clock_ = turn.wall;
  if (went_on) return;
  for (auto& [id, entry] : schedules_) {
    // A little is waited for: most clocks are set by less.
    if (entry.considered > to_seconds(turn.wall) + kMisfireTolerance) set_back(turn, id, entry);
  }
}

void Scheduler::set_back(Turn& turn, int64_t id, Entry& entry) {
  const auto now = to_seconds(turn.wall);
  const auto reason = fmt::format("it had been considered until {}, which is in the future: the clock was ahead",
                                  to_iso(WallTime{entry.considered}));
  spdlog::warn("schedule {} of group {} fires from now on: {}", id, entry.group_name, reason);
  settle_ledger(id, entry, now);
  entry.considered = now;
  db_.run("UPDATE schedule SET considered_at = ? WHERE id = ?", to_store(now), id);
  turn.emit(state_event("schedule.resumed", id, entry.group_name, reason));
  const auto waits = std::ranges::find(waiting_, std::pair<const int64_t, int64_t>{entry.group, id});
  if (waits != waiting_.end()) return;
  dequeue(id, entry);
  enqueue(id, entry);
}

// Times that have not come yet get another outcome, except those that have fired.
void Scheduler::settle_ledger(int64_t id, const Entry& entry, FireTime now) {
  db_.run("DELETE FROM schedule_fire WHERE schedule_id = ? AND nominal_at > ? AND outcome <> 'fired'", id,
          to_store(now));
  const auto begun = db_.value<int64_t>(
      "SELECT nominal_at FROM schedule_fire WHERE schedule_id = ?1 AND nominal_at <= ?2 AND until_at > ?2", id,
      to_store(now));
  if (!begun) return;
  const auto first = from_store(*begun);
  const auto last = entry.schedule.previous(now).value_or(first);
  db_.run("UPDATE schedule_fire SET until_at = ?, count = ? WHERE schedule_id = ? AND nominal_at = ?",
          to_store(std::max(first, last)),
          std::max<int64_t>(1, entry.schedule.count(first - std::chrono::seconds{1}, last)), id, *begun);
}

void Scheduler::consider_one(Turn& turn, int64_t id, Entry& entry, int64_t most) {
  dequeue(id, entry);
  for (const auto& outcome : consider(entry.schedule, entry.considered, to_seconds(turn.wall), entry.misfire)) {
    if (!act_on(turn, id, entry, outcome)) {
      waiting_.emplace(entry.group, id);
      return;
    }
    entry.considered = outcome.until_at;
    if (PLANTED("ledger_uniqueness_dropped")) continue;
    db_.run("UPDATE schedule SET considered_at = ?, last_fired_at = iif(?, ?, last_fired_at) WHERE id = ?",
            to_store(outcome.until_at), outcome.fires, to_ms(turn.wall), id);
    if (turn.next_seq() >= most) break;
  }
  enqueue(id, entry);
}

bool Scheduler::act_on(Turn& turn, int64_t id, Entry& entry, const Outcome& outcome) {
  if (!outcome.fires) {
    record_missed(turn, id, entry, outcome);
    return true;
  }
  const auto fired = db_.value<int64_t>("SELECT 1 FROM schedule_fire WHERE schedule_id = ? AND nominal_at = ?", id,
                                        to_store(outcome.nominal_at));
  if (!fired || PLANTED("ledger_uniqueness_dropped")) return fire_one(turn, id, entry, outcome);
  auto event = schedule_event("schedule.skipped", id, entry.group_name, outcome);
  event.fields["outcome"] = "fired";
  event.fields["reason"] = "it has fired already, while the clock was ahead";
  turn.emit(std::move(event));
  return true;
}

bool Scheduler::fire_one(Turn& turn, int64_t id, Entry& entry, const Outcome& outcome) {
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
  // One that is missed may begin with a time that has fired already, while the clock was ahead.
  db_.run(
      "INSERT INTO schedule_fire (schedule_id, nominal_at, until_at, count, outcome, reason, group_run_id)"
      " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (schedule_id, nominal_at) DO NOTHING",
      id, to_store(outcome.nominal_at), to_store(outcome.until_at), outcome.count, word, reason, group_run);
  auto event = schedule_event(group_run ? "schedule.fired" : "schedule.skipped", id, entry.group_name, outcome);
  event.fields["outcome"] = word;
  if (outcome.count > 1) event.fields["count"] = outcome.count;
  if (!reason.empty()) event.fields["reason"] = reason;
  if (group_run) event.group_run_id = group_run->value;
  turn.emit(std::move(event));
}

void Scheduler::group_ended(int64_t group) {
  const auto [first, last] = waiting_.equal_range(group);
  for (auto it = first; it != last; ++it) enqueue(it->second, schedules_.at(it->second));
  waiting_.erase(first, last);
}

std::optional<WallTime> Scheduler::next_due() const {
  std::optional<WallTime> next = try_again_;
  if (!queue_.empty()) next = std::min(next.value_or(WallTime::max()), WallTime{queue_.begin()->at});
  return next;
}

}  // namespace pipekit
