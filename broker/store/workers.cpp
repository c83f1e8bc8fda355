#include "broker/store/workers.h"

namespace pipekit::store::workers {

void save(Database& db, const Worker& worker, WallTime now) {
  db.run(
      "INSERT INTO worker (name, incarnation, state_id, version, host, tags, slots, key, state, joined_at, seen_at)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'connected', ?, ?) ON CONFLICT (name) DO UPDATE SET"
      " incarnation = excluded.incarnation, state_id = excluded.state_id, version = excluded.version,"
      " host = excluded.host, tags = excluded.tags, slots = excluded.slots, key = excluded.key, state = 'connected',"
      " joined_at = excluded.joined_at, seen_at = excluded.seen_at",
      worker.name, worker.incarnation, worker.state_id, worker.version, worker.host, Json(worker.tags).dump(),
      worker.slots, worker.key, to_ms(worker.joined_at), to_ms(now));
}

void mark(Database& db, const std::string& name, const std::string& state, WallTime now) {
  db.run("UPDATE worker SET state = ?, seen_at = ? WHERE name = ?", state, to_ms(now), name);
}

std::vector<Worker> load_connected(Database& db) {
  std::vector<Worker> list;
  auto rows = db.query(
      "SELECT name, incarnation, state_id, version, host, tags, slots, joined_at, key, drained FROM worker WHERE"
      " state = 'connected'");
  while (rows.next()) {
    auto& worker = list.emplace_back();
    worker.name = rows.get<std::string>(0);
    worker.incarnation = rows.get<std::string>(1);
    worker.state_id = rows.get<std::string>(2);
    worker.version = rows.get<std::string>(3);
    worker.host = rows.get<std::string>(4);
    worker.tags = Json::parse(rows.get<std::string>(5)).get<std::vector<std::string>>();
    worker.slots = rows.get<int64_t>(6);
    worker.joined_at = from_ms(rows.get<int64_t>(7));
    worker.key = rows.get<std::string>(8);
    worker.drained = rows.get<int64_t>(9) != 0;
  }
  return list;
}

bool is_connected(Database& db, const std::string& name) {
  return db.value<std::string>("SELECT state FROM worker WHERE name = ?", name).value_or("") == "connected";
}

bool drained(Database& db, const std::string& name) {
  return db.value<int64_t>("SELECT drained FROM worker WHERE name = ?", name).value_or(0) != 0;
}

std::optional<bool> drain(Database& db, const std::string& name, bool drained) {
  const auto before = db.value<int64_t>("SELECT drained FROM worker WHERE name = ?", name);
  if (!before) return std::nullopt;
  if ((*before != 0) != drained) db.run("UPDATE worker SET drained = ? WHERE name = ?", drained ? 1 : 0, name);
  return *before != 0;
}

}  // namespace pipekit::store::workers
