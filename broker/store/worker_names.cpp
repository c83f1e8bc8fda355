#include "broker/store/worker_names.h"

namespace pipekit::store::worker_names {

Claim claim(Database& db, const std::string& name, const std::string& identity, WallTime now) {
  const auto inserted = db.run(
      "INSERT INTO worker_name (name, identity, since) SELECT ?1, ?2, ?3"
      " WHERE (SELECT count(*) FROM worker_name WHERE identity = ?2) < ?4 ON CONFLICT DO NOTHING",
      name, identity, to_ms(now), kMostOfOne);
  if (inserted == 1) return Claim::granted;
  const auto owner = db.value<std::string>("SELECT identity FROM worker_name WHERE name = ?", name);
  if (!owner) return Claim::too_many;
  return *owner == identity ? Claim::granted : Claim::of_another;
}

std::optional<std::string> release(Database& db, const std::string& name) {
  auto owner = db.value<std::string>("SELECT identity FROM worker_name WHERE name = ?", name);
  if (owner) db.run("DELETE FROM worker_name WHERE name = ?", name);
  return owner;
}

}  // namespace pipekit::store::worker_names
