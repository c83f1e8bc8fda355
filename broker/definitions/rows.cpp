#include "broker/definitions/rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "broker/definitions/check.h"
#include "broker/definitions/tables.h"

namespace pipekit::definitions {
namespace {

Json typed(const Field& field, const Json& stored) {
  if (stored.is_null()) return stored;
  if (field.type == FieldType::boolean) return stored != 0;
  if (field.type == FieldType::text_list) return Json::parse(stored.get_ref<const std::string&>());
  return stored;
}

Json typed(const ShownColumn& column, const Json& stored) {
  if (stored.is_null() || column.type == ColumnType::plain) return stored;
  if (column.type == ColumnType::flag) return stored != 0;
  return to_iso(from_ms(stored.get<int64_t>()));
}

// In the order of select_sql.
Json row_json(Kind kind, const store::Rows& rows) {
  int column = 0;
  Json row = {{"id", rows.json(column++)}};
  for (const auto& field : fields_of(kind)) {
    row[column_of(field)] = typed(field, rows.json(column++));
    if (field.refers_to) row[std::string(field.name)] = rows.json(column++);
  }
  for (const auto& shown : table_of(kind).shown) row[std::string(shown.name)] = typed(shown, rows.json(column++));
  return row;
}

template <class... Args>
Json select(Database& db, Kind kind, std::string_view where, const Args&... args) {
  Json all = Json::array();
  auto rows = db.query(select_sql(kind, where), args...);
  while (rows.next()) all.push_back(row_json(kind, rows));
  return all;
}

// A hook's key is its place.
std::string key_at(Kind part, const Json& definition, size_t place) {
  return part == Kind::hook ? std::to_string(place) : part_key(part, definition);
}

}  // namespace

std::optional<Json> read(Database& db, Kind kind, int64_t id) {
  const auto found = select(db, kind, "WHERE t.id = ?1", id);
  if (found.empty()) return std::nullopt;
  return found[0];
}

Json read_all(Database& db, Kind kind) { return select(db, kind, ""); }

Json read_parts(Database& db, Kind part, int64_t parent) {
  return select(db, part, fmt::format("WHERE t.{} = ?1", table_of(part).parent_column), parent);
}

std::optional<Json> read_whole(Database& db, Kind kind, int64_t id) {
  auto row = read(db, kind, id);
  if (!row) return std::nullopt;
  for (const auto& part : parts_of(kind)) (*row)[std::string(part.name)] = read_parts(db, part.kind, id);
  return row;
}

Json definition_of(Kind kind, const Json& shown) {
  Json definition = Json::object();
  for (const auto& field : fields_of(kind)) {
    const auto key = std::string(field.name);
    definition[key] = shown.at(key);
  }
  for (const auto& part : parts_of(kind)) {
    const auto key = std::string(part.name);
    auto& list = definition[key] = Json::array();
    for (const auto& one : shown.at(key)) list.push_back(definition_of(part.kind, one));
  }
  sort_parts(definition);
  return definition;
}

std::optional<int64_t> id_of(Database& db, Kind kind, std::string_view name) {
  return db.value<int64_t>(fmt::format("SELECT id FROM {} WHERE name = ?", table_of(kind).name), name);
}

std::optional<std::string> name_of(Database& db, Kind kind, int64_t id) {
  return db.value<std::string>(fmt::format("SELECT name FROM {} WHERE id = ?", table_of(kind).name), id);
}

std::vector<std::string> names(Database& db, Kind kind) {
  std::vector<std::string> all;
  auto rows = db.query(fmt::format("SELECT name FROM {} ORDER BY name", table_of(kind).name));
  while (rows.next()) all.push_back(rows.get<std::string>(0));
  return all;
}

FenceNames::FenceNames(Database& db) {
  auto rows = db.query(
      "SELECT fence_name FROM module UNION ALL"
      " SELECT json_extract(d.body, '$.fence_name') FROM run_log r JOIN definition_snapshot d ON d.id = r.snapshot_id"
      " WHERE r.status IN ('queued', 'running') AND NOT EXISTS (SELECT 1 FROM module m WHERE m.id = r.module_id)");
  while (rows.next()) taken_.insert(rows.get<std::string>(0));
}

std::string FenceNames::take(std::string name) {
  while (!taken_.insert(name).second) name += "~2";
  return name;
}

int64_t insert(Database& db, Kind kind, const Json& definition, int64_t parent, WallTime now) {
  if (kind != Kind::module) return insert_text(db, kind, definition.dump(), parent, now);
  auto named = definition;
  named["fence_name"] = FenceNames(db).take(definition.at("name"));
  return insert_text(db, kind, named.dump(), parent, now);
}

int64_t insert_text(Database& db, Kind kind, const std::string& definition, int64_t parent, WallTime now) {
  db.run(insert_sql(kind), definition, parent, to_ms(now));
  return db.last_insert_id();
}

void rewrite(Database& db, Kind kind, int64_t id, const Json& definition, WallTime now) {
  rewrite_text(db, kind, id, definition.dump(), now);
}

void rewrite_text(Database& db, Kind kind, int64_t id, const std::string& definition, WallTime now) {
  db.run(update_sql(kind), definition, id, to_ms(now));
}

void erase(Database& db, Kind kind, int64_t id) {
  const auto& table = table_of(kind);
  for (const auto& field : fields_of(kind)) {
    // Those that go together may refer to one another.
    if (is_self_reference(kind, field)) {
      db.run(fmt::format("UPDATE {0} SET {1} = NULL WHERE {1} = ?", table.name, column_of(field)), id);
    }
  }
  db.run(fmt::format("DELETE FROM {} WHERE id = ?", table.name), id);
}

std::vector<PartChange> part_changes(Kind part, const Json& rows, const Json& wanted) {
  struct Known {
    int64_t id;
    Json definition;
    bool stays = false;
  };
  std::map<std::string, Known> known;
  std::vector<PartChange> changes;
  for (const auto& row : rows) {
    auto definition = definition_of(part, row);
    auto key = key_at(part, definition, known.size());
    const auto id = row["id"].get<int64_t>();
    if (!known.emplace(std::move(key), Known{id, std::move(definition)}).second) {
      changes.push_back({PartChange::What::erase, id, nullptr});
    }
  }
  std::vector<PartChange> fresh;
  size_t place = 0;
  for (const auto& one : wanted) {
    const auto same = known.find(key_at(part, one, place++));
    if (same == known.end() || same->second.stays) {
      fresh.push_back({PartChange::What::insert, 0, &one});
      continue;
    }
    same->second.stays = true;
    if (same->second.definition != one) changes.push_back({PartChange::What::rewrite, same->second.id, &one});
  }
  for (const auto& [key, one] : known) {
    if (!one.stays) changes.push_back({PartChange::What::erase, one.id, nullptr});
  }
  changes.insert(changes.end(), fresh.begin(), fresh.end());
  return changes;
}

void sync_parts(Database& db, Kind kind, int64_t id, const Json& definition, WallTime now) {
  for (const auto& part : parts_of(kind)) {
    const auto rows = read_parts(db, part.kind, id);
    for (const auto& change : part_changes(part.kind, rows, definition.at(std::string(part.name)))) {
      if (change.what == PartChange::What::rewrite) rewrite(db, part.kind, change.id, *change.part, now);
      if (change.what == PartChange::What::erase) erase(db, part.kind, change.id);
      if (change.what == PartChange::What::insert) insert(db, part.kind, *change.part, id, now);
    }
  }
}

void touch(Database& db, Kind kind, int64_t id, WallTime now) {
  if (!table_of(kind).stamped) return;
  db.run(fmt::format("UPDATE {} SET updated_at = ? WHERE id = ?", table_of(kind).name), to_ms(now), id);
}

std::vector<std::string> users_of(Database& db, Kind kind, int64_t id) {
  std::vector<std::string> users;
  for (const auto user : all_kinds()) {
    const auto& table = table_of(user);
    for (const auto& field : fields_of(user)) {
      if (field.refers_to != kind) continue;
      const auto owner = table.parent.value_or(user);
      auto rows = db.query(fmt::format("SELECT DISTINCT o.name FROM {0} t JOIN {1} o ON o.id = t.{2} WHERE t.{3} = ?1 "
                                       "AND NOT ({4} AND o.id = ?1) ORDER BY o.name",
                                       table.name, table_of(owner).name, table.parent ? table.parent_column : "id",
                                       column_of(field), owner == kind ? 1 : 0),
                           id);
      while (rows.next()) {
        users.push_back(fmt::format("{} '{}' ({})", to_string(owner), rows.get<std::string>(0),
                                    table.parent ? to_string(user) : field.name));
      }
    }
  }
  return users;
}

}  // namespace pipekit::definitions
