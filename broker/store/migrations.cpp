#include "broker/store/migrations.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <string>

#include "broker/store/database.h"
#include "broker/store/own_store.h"

namespace pipekit::store {
namespace {

int64_t number_of(const MigrationFile& file) {
  int64_t number = 0;
  std::from_chars(file.name.data(), file.name.data() + file.name.size(), number);
  return number;
}

const MigrationFile* find(int64_t number, std::string_view suffix) {
  for (const auto& file : migration_files()) {
    if (number_of(file) == number && file.name.ends_with(suffix)) return &file;
  }
  return nullptr;
}

// Somebody else's database, put where the store should be.
bool is_foreign(Database& db) {
  constexpr auto kCount =
      "SELECT count(*), coalesce(sum(name = 'run_log'), 0) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE "
      "'\\'";
  auto row = db.query(kCount);
  row.next();
  return row.get<int64_t>(0) > 0 && row.get<int64_t>(1) == 0;
}

int64_t schema_of(Database& db) { return db.value<int64_t>("PRAGMA user_version").value_or(0); }

void step(Database& db, const MigrationFile& file, int64_t becomes) {
  db.execute_script("BEGIN IMMEDIATE");
  try {
    db.execute_script(std::string(file.sql));
    db.execute_script(fmt::format("PRAGMA user_version = {}", becomes));
    db.execute_script("COMMIT");
  } catch (...) {
    db.execute_script("ROLLBACK");
    throw;
  }
}

// VACUUM INTO writes a whole, consistent file or fails; an earlier copy of the same schema is replaced.
void copy_before(Database& db, int64_t schema) {
  const auto copy = fmt::format("{}.before-{:03}", db.file().string(), schema + 1);
  std::filesystem::remove(copy);
  db.run("VACUUM INTO ?", copy);
  std::filesystem::permissions(copy, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

std::string random_store_id() {
  std::random_device device;
  return fmt::format("{:08x}", device());
}

}  // namespace

int64_t newest_schema() {
  int64_t newest = 0;
  for (const auto& file : migration_files()) newest = std::max(newest, number_of(file));
  return newest;
}

Result<void> migrate(Database& db) {
  if (is_foreign(db)) {
    return Error{ErrorCode::kInvalid, fmt::format("{} is a database, but not a Pipekit store", db.file().string()),
                 "no table of it was changed: move it away, or choose another --data-dir"};
  }
  auto schema = schema_of(db);
  if (schema > newest_schema()) {
    return Error{
        ErrorCode::kInvalid,
        fmt::format("{} has schema {}, this program knows up to {}", db.file().string(), schema, newest_schema()),
        "it was written by a newer pipekit-broker: install that version, or restore the copy made before"};
  }
  if (schema > 0 && schema < newest_schema()) copy_before(db, schema);
  for (; schema < newest_schema(); ++schema) {
    const auto* up = find(schema + 1, ".up.sql");
    if (up == nullptr) throw StoreError(0, fmt::format("migration {} is missing from this program", schema + 1));
    step(db, *up, schema + 1);
  }
  if (db.value<int64_t>("PRAGMA application_id") != kApplicationId) {
    db.execute_script(fmt::format("PRAGMA application_id={}", kApplicationId));
  }
  // A store that has its id is not written to: another process may hold its lock, and the loop waits for that better.
  if (!db.value<std::string>("SELECT value FROM meta WHERE key = 'store_id'")) {
    db.run("INSERT INTO meta (key, value) VALUES ('store_id', ?) ON CONFLICT DO NOTHING", random_store_id());
  }
  return {};
}

void migrate_down(Database& db, int64_t target) {
  for (auto schema = schema_of(db); schema > target; --schema) {
    const auto* down = find(schema, ".down.sql");
    if (down == nullptr) throw StoreError(0, fmt::format("migration {} has no way down", schema));
    step(db, *down, schema - 1);
  }
}

}  // namespace pipekit::store
