#include "broker/retention.h"

#include <spdlog/spdlog.h>

#include <array>

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
expiry::Step pages(const Visit& v) { return expiry::vacuum(v.db); }

struct Table {
  const char* name;
  expiry::Step (*step)(const Visit&);
};
constexpr std::array<Table, 8> kTables = {{{"runs", runs},
                                           {"group_runs", group_runs},
                                           {"events", events},
                                           {"ledger", ledger},
                                           {"requests", requests},
                                           {"audit", audit},
                                           {"workers", workers},
                                           {"pages", pages}}};

}  // namespace

Retention::Retention(store::Database& db, const Settings& settings, MonoTime now, WallTime wall)
    : db_(db), settings_(settings), due_(now + kFirst), checked_(now), checked_wall_(wall), as_of_(wall) {}

void Retention::step(Turn& turn) {
  if (turn.now < due_) return;
  const bool begins = table_ == 0 && cursor_.number == 0 && removed_.empty();
  if (begins) {
    if (!clock_can_be_trusted(turn)) {
      due_ = turn.now + kEvery;
      return;
    }
    as_of_ = turn.wall;
  }
  due_ = turn.now + kPause;
  const auto& table = kTables.at(table_);
  auto step = table.step({db_, cursor_, settings_, as_of_});
  if (step.removed > 0) removed_[table.name] += step.removed;
  cursor_ = step.next.value_or(expiry::Cursor{});
  if (step.next) return;
  if (++table_ == kTables.size()) finish(turn);
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
