#include "broker/retention.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

#include "broker/store/lock_holder.h"

namespace pipekit {
namespace {

namespace expiry = store::expiry;
using std::chrono::days;
using std::chrono::minutes;

// A run's request may come again for ten minutes (and longer ones are refused): its row answers it.
constexpr minutes kShielded{30};
// By how much the two clocks may have drifted apart between two walks.
constexpr minutes kDrift{30};

expiry::Limit limit(WallTime now, int64_t keep_days, int64_t keep) {
  expiry::Limit limit;
  if (keep_days > 0) limit.before = now - days{keep_days};
  limit.most = keep;
  return limit;
}

struct Visit {
  store::Database& db;
  const expiry::Cursor& from;
  const Settings& keep;
  WallTime now;
};

expiry::Step runs(const Visit& v) {
  return expiry::runs(v.db, v.from, limit(v.now, v.keep.runs_keep_days, v.keep.runs_keep), v.now - kShielded);
}
expiry::Step group_runs(const Visit& v) {
  return expiry::group_runs(v.db, v.from, limit(v.now, v.keep.runs_keep_days, v.keep.runs_keep));
}
expiry::Step events(const Visit& v) {
  return expiry::events(v.db, limit(v.now, v.keep.events_keep_days, v.keep.events_keep));
}
expiry::Step ledger(const Visit& v) {
  return expiry::ledger(v.db, v.from, limit(v.now, v.keep.ledger_keep_days, v.keep.ledger_keep));
}
expiry::Step requests(const Visit& v) { return expiry::requests(v.db, v.from, v.now - Retention::kRequests); }
expiry::Step audit(const Visit& v) {
  return expiry::audit(v.db, limit(v.now, v.keep.audit_keep_days, v.keep.audit_keep));
}
expiry::Step workers(const Visit& v) { return expiry::workers(v.db, limit(v.now, v.keep.workers_keep_days, 0)); }

struct Table {
  const char* name;
  expiry::Step (*step)(const Visit&);
};
constexpr std::array<Table, 7> kTables = {{{"runs", runs},
                                           {"group_runs", group_runs},
                                           {"events", events},
                                           {"ledger", ledger},
                                           {"requests", requests},
                                           {"audit", audit},
                                           {"workers", workers}}};

}  // namespace

Retention::Retention(store::Database& db, const Settings& settings, std::function<MonoTime()> stopwatch, MonoTime now,
                     WallTime wall)
    : db_(db),
      settings_(settings),
      stopwatch_(std::move(stopwatch)),
      due_(now + kFirst),
      checked_(now),
      checked_wall_(wall),
      as_of_(wall) {}

void Retention::step(Turn& turn) {
  if (turn.now < due_) return;
  if (!walking_) {
    if (!clock_can_be_trusted(turn)) {
      due_ = turn.now + kEvery;
      return;
    }
    as_of_ = turn.wall;
    began_ = turn.now;
    walking_ = true;
  }
  step_began_ = stopwatch_ ? stopwatch_() : turn.now;
  due_ = turn.now + kPause;
  const bool walked = table_ == kTables.size();
  if (vacuums_ && (walked || !takes_turns_ || !vacuumed_)) {
    vacuumed_ = true;
    vacuum(turn.now);
  } else if (walked) {
    finish(turn);
  } else {
    vacuumed_ = false;
    step_table();
  }
}

void Retention::step_table() {
  const auto& table = kTables.at(table_);
  auto step = table.step({db_, cursor_, settings_, as_of_});
  if (step.removed > 0) removed_[table.name] += step.removed;
  cursor_ = step.next.value_or(expiry::Cursor{});
  if (!step.next) ++table_;
  const auto pages = expiry::free_pages(db_);
  vacuums_ = pages.free > pages.wanted + (step.next ? expiry::kPagesAtOnce : 0);
  takes_turns_ = pages.free > expiry::kLongList;
}

void Retention::vacuum(MonoTime now) {
  const auto end = *step_began_ + expiry::kVacuumTime;
  const auto step = expiry::vacuum(db_, [&] { return stopwatch_ && stopwatch_() >= end; });
  if (step.removed > 0) removed_["pages"] += step.removed;
  // The next walk continues.
  vacuums_ = step.next && now < began_ + kEvery;
  const auto pages = expiry::free_pages(db_);
  takes_turns_ = pages.free > expiry::kLongList;
  if (pages.free <= expiry::kLongestList || std::exchange(told_long_list_, true)) return;
  spdlog::warn(
      "{} MiB of the store {} are free and stay in the file until new rows use them: returning so many takes too long "
      "while the broker serves; to shrink the file, stop the broker and execute VACUUM with sqlite3",
      pages.free / 256, db_.file().string());
}

void Retention::committed(MonoTime now) {
  if (step_began_ && stopwatch_) {
    const auto end = stopwatch_();
    if (walking_) due_ = end + std::max<MonoTime::duration>(kPause, kRest * (end - *step_began_));
  }
  step_began_.reset();
  shorten_wal(now);
}

MonoTime Retention::next_due() const {
  return db_.wal_bytes() > store::Database::kWalLimit ? std::min(due_, wal_due_) : due_;
}

// Most often a checkpoint after a commit has done it, and the next commit begins the log from its beginning. What keeps
// it from that is a reader: another program with an open transaction, or queries that follow each other closely.
void Retention::shorten_wal(MonoTime now) {
  if (db_.wal_bytes() <= store::Database::kWalLimit || now < wal_due_) return;
  const auto bytes = db_.wal_bytes();
  if (db_.empty_wal(kWalPatience)) {
    if (wal_told_) spdlog::info("the write-ahead log of the store is empty again, it had {} MiB", bytes >> 20U);
    wal_told_.reset();
    wal_refusals_ = 0;
    return;
  }
  wal_due_ = (stopwatch_ ? stopwatch_() : now) + kWalRetry;
  if (++wal_refusals_ < 3 || (wal_told_ && now < *wal_told_ + kTellWal)) return;
  wal_told_ = now;
  const auto holder = store::lock_holder(db_.file(), store::LockKind::reading);
  spdlog::warn(
      "the write-ahead log of the store has grown to {} MiB and cannot be emptied, because {} reads the store without "
      "a "
      "pause: end its transaction",
      bytes >> 20U, holder.value_or("a client of this broker"));
}

// A wall clock that ran ahead must not cost the history: what was done while it was wrong is not judged by it. It has
// the time between two walks to be set right.
bool Retention::clock_can_be_trusted(const Turn& turn) {
  const auto drift = std::chrono::abs((turn.wall - checked_wall_) - (turn.now - checked_));
  checked_ = turn.now;
  checked_wall_ = turn.wall;
  if (drift <= kDrift) return true;
  spdlog::warn("retention waits an hour: the wall clock was set by {} s",
               std::chrono::floor<std::chrono::seconds>(drift).count());
  return false;
}

void Retention::finish(Turn& turn) {
  table_ = 0;
  walking_ = false;
  due_ = turn.now + kEvery;
  if (removed_.empty()) return;
  Event event;
  event.kind = "retention.swept";
  event.fields = removed_;
  spdlog::info("retention removed {}", event.fields.dump());
  turn.emit(std::move(event));
  removed_.clear();
}

}  // namespace pipekit
