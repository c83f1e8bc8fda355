#include "broker/store/expiry.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "broker/store/events.h"

namespace pipekit::store::expiry {
namespace {

// A step is part of a turn, and a turn has 20 ms. A run may bring some 300 KB of output, an event chunk 64 KB.
constexpr int64_t kRowsSeen = 400;
constexpr int64_t kRowsRemoved = 200;
constexpr size_t kRunsRemoved = 20;
constexpr int64_t kEventBytes = int64_t{512} * 1024;
constexpr int64_t kSchedules = 10;
constexpr int64_t kPages = 256;
constexpr int64_t kFewestLeftFree = 256;
constexpr int64_t kMostLeftFree = 4096;

int64_t oldest_kept(const Limit& limit) { return limit.before ? to_ms(*limit.before) : INT64_MIN; }

// The highest id that is one too many; 0 when none is.
int64_t surplus(int64_t newest, const Limit& limit) {
  return limit.most == 0 ? 0 : std::max<int64_t>(0, newest - limit.most);
}

int64_t newest_id(Database& db, const char* sql) { return db.value<int64_t>(sql).value_or(0); }

void remove_run(Database& db, int64_t run, std::optional<int64_t> epoch) {
  while (epoch) {
    const auto previous = db.value<int64_t>("SELECT previous FROM attempt WHERE id = ?", *epoch);
    db.run("DELETE FROM attempt WHERE id = ?", *epoch);
    epoch = previous;
  }
  db.run("DELETE FROM run_log WHERE id = ?", run);
}

WallTime time_of(const events::Numbered& numbered) {
  if (const auto* log = std::get_if<LogChunk>(&numbered.chunk)) return from_ms(log->ts);
  return from_ms(std::get<std::vector<Event>>(numbered.chunk).back().ts);
}

// Rows of one schedule, oldest first and never the newest, from which the schedule's times continue.
int64_t remove_fires(Database& db, int64_t schedule, const Limit& limit) {
  const auto surplus_from = limit.most == 0 ? std::nullopt
                                            : db.value<int64_t>(
                                                  "SELECT nominal_at FROM schedule_fire WHERE schedule_id = ?"
                                                  " ORDER BY nominal_at DESC LIMIT 1 OFFSET ?",
                                                  schedule, limit.most);
  return db.run(
      "DELETE FROM schedule_fire WHERE schedule_id = ?1 AND nominal_at IN (SELECT nominal_at FROM schedule_fire"
      " WHERE schedule_id = ?1 AND (until_at < ?2 OR nominal_at <= ?3)"
      " AND nominal_at < (SELECT max(nominal_at) FROM schedule_fire WHERE schedule_id = ?1)"
      " ORDER BY nominal_at LIMIT ?4)",
      schedule, oldest_kept(limit), surplus_from.value_or(INT64_MIN), kRowsRemoved);
}

}  // namespace

Step runs(Database& db, const Cursor& from, const Limit& limit, WallTime shielded) {
  const auto newest = newest_id(db, "SELECT max(id) FROM run_log");
  const auto newest_epoch = newest_id(db, "SELECT max(id) FROM attempt");
  std::vector<std::pair<int64_t, std::optional<int64_t>>> gone;
  // Numbers follow the time of queueing: the first window without an expired run is the end. A run that has expired and
  // is kept does not stop the walk.
  bool any_expired = false;
  auto passed = from.number;
  {
    auto rows = db.query(
        "SELECT r.id, r.last_epoch, r.queued_at < ?1 OR r.id <= ?2, r.status IN ('queued', 'running') OR r.id = ?3"
        " OR r.last_epoch IS ?4 OR r.queued_at >= ?5 OR EXISTS (SELECT 1 FROM module_last_run l"
        "   JOIN module m ON m.id = l.module_id WHERE l.module_id = r.module_id AND l.run_id = r.id)"
        " FROM run_log r WHERE r.id > ?6 ORDER BY r.id LIMIT ?7",
        oldest_kept(limit), surplus(newest, limit), newest, newest_epoch, to_ms(shielded), from.number, kRowsSeen);
    while (gone.size() < kRunsRemoved && rows.next()) {
      passed = rows.get<int64_t>(0);
      const bool expired = rows.get<bool>(2);
      const bool kept = rows.get<bool>(3);
      any_expired = any_expired || expired;
      if (expired && !kept) gone.emplace_back(passed, rows.get<std::optional<int64_t>>(1));
    }
  }
  for (const auto& [run, epoch] : gone) remove_run(db, run, epoch);
  Step step{static_cast<int64_t>(gone.size()), std::nullopt};
  if (any_expired) step.next = Cursor{passed, ""};
  return step;
}

Step group_runs(Database& db, const Cursor& from, const Limit& limit) {
  const auto newest = newest_id(db, "SELECT max(id) FROM group_run");
  std::vector<int64_t> gone;
  bool any_expired = false;
  auto passed = from.number;
  {
    auto rows = db.query(
        "SELECT id, started_at < ?1 OR id <= ?2, finished_at IS NULL OR id = ?3 FROM group_run WHERE id > ?4"
        " ORDER BY id LIMIT ?5",
        oldest_kept(limit), surplus(newest, limit), newest, from.number, kRowsSeen);
    while (gone.size() < kRunsRemoved && rows.next()) {
      passed = rows.get<int64_t>(0);
      const bool expired = rows.get<bool>(1);
      any_expired = any_expired || expired;
      if (expired && !rows.get<bool>(2)) gone.push_back(passed);
    }
  }
  for (const auto id : gone) db.run("DELETE FROM group_run WHERE id = ?", id);
  Step step{static_cast<int64_t>(gone.size()), std::nullopt};
  if (any_expired) step.next = Cursor{passed, ""};
  return step;
}

Step events(Database& db, const Limit& limit) {
  const auto last = events::last_seq(db);
  const auto too_many = surplus(last, limit);
  int64_t gone = 0;
  Step step{0, Cursor{}};
  for (const auto& chunk : events::scan(db, 0, kEventBytes)) {
    const bool expired = chunk.last <= too_many || (limit.before && time_of(chunk) < *limit.before);
    if (!expired || chunk.last == last) {
      step.next.reset();
      break;
    }
    gone = chunk.last;
    step.removed += chunk.last - chunk.first + 1;
  }
  if (gone == 0) return {};
  db.run("DELETE FROM event_chunk WHERE first_seq <= ?", gone);
  return step;
}

Step ledger(Database& db, const Cursor& from, const Limit& limit) {
  Step step;
  auto schedule = from.number;
  for (int64_t i = 0; i < kSchedules && step.removed < kRowsRemoved; ++i) {
    const auto next = db.value<int64_t>("SELECT min(schedule_id) FROM schedule_fire WHERE schedule_id > ?", schedule);
    if (!next) return step;
    const auto removed = remove_fires(db, *next, limit);
    step.removed += removed;
    if (removed < kRowsRemoved) schedule = *next;
  }
  step.next = Cursor{schedule, ""};
  return step;
}

Step requests(Database& db, const Cursor& from, WallTime before) {
  struct Old {
    std::string client;
    int64_t number;
  };
  std::vector<Old> gone;
  Old passed{from.text, from.number};
  int64_t seen = 0;
  {
    auto rows = db.query(
        "SELECT client, request_no, at < ? FROM request WHERE (client, request_no) > (?, ?)"
        " ORDER BY client, request_no LIMIT ?",
        to_ms(before), from.text, from.number, kRowsSeen);
    for (; rows.next(); ++seen) {
      passed = {rows.get<std::string>(0), rows.get<int64_t>(1)};
      if (rows.get<bool>(2)) gone.push_back(passed);
    }
  }
  for (const auto& [client, number] : gone) {
    db.run("DELETE FROM request WHERE client = ? AND request_no = ?", client, number);
  }
  Step step{static_cast<int64_t>(gone.size()), std::nullopt};
  if (seen == kRowsSeen) step.next = Cursor{passed.number, passed.client};
  return step;
}

Step audit(Database& db, const Limit& limit) {
  const auto newest = newest_id(db, "SELECT max(id) FROM audit");
  const auto removed = db.run(
      "DELETE FROM audit WHERE id IN (SELECT id FROM (SELECT id, at FROM audit ORDER BY id LIMIT ?1)"
      " WHERE id <> ?2 AND (at < ?3 OR id <= ?4))",
      kRowsRemoved, newest, oldest_kept(limit), surplus(newest, limit));
  Step step{removed, std::nullopt};
  if (removed == kRowsRemoved) step.next = Cursor{};
  return step;
}

Step workers(Database& db, const Limit& limit) {
  const auto removed = db.run(
      "DELETE FROM worker WHERE name IN (SELECT name FROM worker WHERE state <> 'connected' AND seen_at < ? LIMIT ?)",
      oldest_kept(limit), kRowsRemoved);
  Step step{removed, std::nullopt};
  if (removed == kRowsRemoved) step.next = Cursor{};
  return step;
}

FreePages free_pages(Database& db) {
  const auto pages = db.value<int64_t>("PRAGMA page_count").value_or(0);
  return {db.value<int64_t>("PRAGMA freelist_count").value_or(0),
          std::clamp(pages / 16, kFewestLeftFree, kMostLeftFree)};
}

Step vacuum(Database& db, const std::function<bool()>& over) {
  const auto pages = free_pages(db);
  if (pages.free <= pages.wanted || pages.free > kLongestList) return {};
  Step step;
  const auto most = std::min(kPages, pages.free - pages.wanted);
  auto rows = db.query(fmt::format("PRAGMA incremental_vacuum({})", most));
  while (step.removed < most && rows.next()) {  // a row a page
    ++step.removed;
    if (over()) break;
  }
  if (step.removed > 0 && pages.free - step.removed > pages.wanted) step.next = Cursor{};
  return step;
}

}  // namespace pipekit::store::expiry
