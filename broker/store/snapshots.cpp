#include "broker/store/snapshots.h"

#include <fmt/format.h>

#include "shared/codec.h"

namespace pipekit::store::snapshots {

Interned intern(Database& db, const ModuleSnapshot& snapshot) {
  const auto body = to_json(snapshot).dump();
  const auto known =
      db.value<int64_t>("SELECT id FROM definition_snapshot WHERE module_id = ? AND body = ?", snapshot.id, body);
  if (known) return {*known, false};
  db.run("INSERT INTO definition_snapshot (module_id, body) VALUES (?, ?)", snapshot.id, body);
  return {db.last_insert_id(), true};
}

ModuleSnapshot load(Database& db, int64_t id) {
  const auto body = db.value<std::string>("SELECT body FROM definition_snapshot WHERE id = ?", id);
  if (!body) throw StoreError(0, fmt::format("definition snapshot {} is missing", id));
  auto snapshot = module_snapshot_from(Json::parse(*body));
  if (!snapshot) throw StoreError(0, fmt::format("definition snapshot {}: {}", id, snapshot.error().message));
  return std::move(*snapshot);
}

}  // namespace pipekit::store::snapshots
