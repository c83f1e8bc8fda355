#include "broker/run_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <queue>

#include "broker/definitions/definitions.h"

namespace pipekit::run_list {
namespace {

using store::Database;

// Of a chain, without a run that passes: enough for what is looked for, and no reader waits for a walk through all.
constexpr int64_t kLongestWalk = 100'000;

constexpr auto kStatuses =
    std::to_array<std::string_view>({"queued", "running", "success", "error", "cancelled", "dry_run"});

bool is_live(std::string_view status) { return status == "queued" || status == "running"; }

struct Link {
  std::string status;
  int64_t queued_at = 0;
  std::optional<int64_t> previous;
};

std::optional<Link> link_of(Database& db, int64_t module, int64_t run) {
  auto rows =
      db.query("SELECT status, queued_at, previous_run FROM run_log WHERE id = ? AND module_id = ?", run, module);
  if (!rows.next()) return std::nullopt;
  return Link{rows.get<std::string>(0), rows.get<int64_t>(1), rows.get<std::optional<int64_t>>(2)};
}

bool passes(const Filter& filter, const Link& link) {
  return (filter.status.empty() || link.status == filter.status) &&
         (!filter.since_ms || link.queued_at >= *filter.since_ms);
}

std::optional<int64_t> head_of(Database& db, int64_t module) {
  return db.value<int64_t>("SELECT run_id FROM module_last_run WHERE module_id = ?", module);
}

// The run after which the walk begins, or the one with which it does.
int64_t newest_of(Database& db, int64_t module, const Filter& filter) {
  if (filter.before) {
    if (const auto link = link_of(db, module, *filter.before)) {
      if (is_live(link->status)) return head_of(db, module).value_or(0);
      if (link->previous) return *link->previous;
    }
  }
  const auto live =
      db.value<int64_t>("SELECT id FROM run_log WHERE module_id = ? AND status IN ('queued', 'running')", module);
  return live ? *live : head_of(db, module).value_or(0);
}

// Runs that ended before they were chained.
void read_unchained(Database& db, int64_t module, int64_t below, const Filter& filter, std::vector<int64_t>& found) {
  auto rows = db.query(
      "SELECT id FROM run_log WHERE module_id = ?1 AND id < ?2 AND id >= ?3 AND (?4 = '' OR status = ?4)"
      " AND queued_at >= ?5 ORDER BY id DESC LIMIT ?6",
      module, below, filter.since_ms ? first_since(db, *filter.since_ms) : 0, filter.status,
      filter.since_ms.value_or(INT64_MIN), filter.limit);
  while (rows.next()) found.push_back(rows.get<int64_t>(0));
}

std::vector<int64_t> of_module(Database& db, int64_t module, const Filter& filter) {
  std::vector<int64_t> found;
  const auto oldest = filter.since_ms ? first_since(db, *filter.since_ms) : 0;
  auto at = newest_of(db, module, filter);
  for (int64_t walked = 0; at >= std::max<int64_t>(oldest, 1) && walked < kLongestWalk; ++walked) {
    const auto link = link_of(db, module, at);
    if (!link) break;  // removed by retention, and so are those before it
    if ((!filter.before || at < *filter.before) && passes(filter, *link)) found.push_back(at);
    if (static_cast<int64_t>(found.size()) == filter.limit) break;
    if (is_live(link->status)) {
      at = head_of(db, module).value_or(0);
    } else if (link->previous) {
      at = *link->previous;
    } else {
      read_unchained(db, module, std::min(at, filter.before.value_or(at)), filter, found);
      break;
    }
  }
  return found;
}

std::vector<int64_t> of_all(Database& db, const Filter& filter) {
  const auto from = filter.since_ms ? first_since(db, *filter.since_ms) : 0;
  std::string source = "run_log";
  std::string where = "id >= ?1 AND id < ?2 AND queued_at >= ?3";
  if (is_live(filter.status)) {
    source = "run_log INDEXED BY run_live";
    where += " AND status IN ('queued', 'running')";
  } else if (!filter.status.empty() && filter.status != "success") {
    source = "run_log INDEXED BY run_failed";
  }
  // A literal, because the index of failed runs has it in its condition; check_status() has seen it.
  if (!filter.status.empty()) where += fmt::format(" AND status = '{}'", filter.status);
  std::vector<int64_t> found;
  auto rows = db.query(fmt::format("SELECT id FROM {} WHERE {} ORDER BY id DESC LIMIT ?4", source, where), from,
                       filter.before.value_or(INT64_MAX), filter.since_ms.value_or(INT64_MIN), filter.limit);
  while (rows.next()) found.push_back(rows.get<int64_t>(0));
  return found;
}

}  // namespace

Result<void> check_status(const std::string& status) {
  if (status.empty() || std::ranges::find(kStatuses, status) != kStatuses.end()) return {};
  return Error{ErrorCode::kInvalid, fmt::format("'{}' is not the status of a run", status.substr(0, 100)),
               fmt::format("a run is one of: {}", fmt::join(kStatuses, ", "))};
}

int64_t first_since(Database& db, int64_t since_ms) {
  auto low = db.value<int64_t>("SELECT min(id) FROM run_log").value_or(0);
  auto high = db.value<int64_t>("SELECT max(id) FROM run_log").value_or(0) + 1;
  while (low < high) {
    const auto middle = low + (high - low) / 2;
    auto rows = db.query("SELECT id, queued_at FROM run_log WHERE id >= ? ORDER BY id LIMIT 1", middle);
    if (!rows.next() || rows.get<int64_t>(1) >= since_ms) {
      high = middle;
    } else {
      low = rows.get<int64_t>(0) + 1;
    }
  }
  return std::max<int64_t>(low - kClockSlack, 0);
}

std::vector<int64_t> find(Database& db, const Filter& filter) {
  if (!filter.modules) return of_all(db, filter);
  std::vector<int64_t> found;
  for (const auto module : *filter.modules) {
    const auto more = of_module(db, module, filter);
    found.insert(found.end(), more.begin(), more.end());
  }
  std::ranges::sort(found, std::greater<>());
  if (static_cast<int64_t>(found.size()) > filter.limit) found.resize(static_cast<size_t>(filter.limit));
  return found;
}

Result<std::vector<int64_t>> modules_named(Database& db, const Json& ref) {
  const auto known = definitions::resolve(db, Kind::module, ref);
  if (known) return std::vector<int64_t>{*known};
  std::vector<int64_t> removed;
  if (ref.is_number_integer()) {
    const auto id = ref.get<int64_t>();
    if (db.value<int64_t>("SELECT 1 FROM definition_snapshot WHERE module_id = ? LIMIT 1", id)) removed.push_back(id);
  } else if (ref.is_string()) {
    auto rows = db.query(
        "SELECT DISTINCT module_id FROM definition_snapshot WHERE json_extract(body, '$.name') = ?"
        " AND module_id NOT IN (SELECT id FROM module)",
        ref.get<std::string>());
    while (rows.next()) removed.push_back(rows.get<int64_t>(0));
  }
  if (removed.empty()) return known.error();
  return removed;
}

std::vector<std::pair<int64_t, int64_t>> newest_fires(Database& db,
                                                      const std::optional<std::vector<int64_t>>& schedules,
                                                      int64_t limit) {
  std::priority_queue<std::pair<int64_t, int64_t>> heads;  // time, schedule
  const auto add = [&](int64_t schedule, int64_t before) {
    const auto time = db.value<int64_t>(
        "SELECT max(nominal_at) FROM schedule_fire WHERE schedule_id = ? AND nominal_at < ?", schedule, before);
    if (time) heads.emplace(*time, schedule);
  };
  if (schedules) {
    for (const auto schedule : *schedules) add(schedule, INT64_MAX);
  } else {
    constexpr auto kNext = "SELECT min(schedule_id) FROM schedule_fire WHERE schedule_id > ?";
    for (auto next = db.value<int64_t>(kNext, int64_t{0}); next; next = db.value<int64_t>(kNext, *next)) {
      add(*next, INT64_MAX);
    }
  }
  std::vector<std::pair<int64_t, int64_t>> newest;
  while (!heads.empty() && static_cast<int64_t>(newest.size()) < limit) {
    const auto [time, schedule] = heads.top();
    heads.pop();
    newest.emplace_back(schedule, time);
    add(schedule, time);
  }
  return newest;
}

}  // namespace pipekit::run_list
