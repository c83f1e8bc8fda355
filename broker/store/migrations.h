// The schema's history, embedded in the program.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "shared/error.h"

namespace pipekit::store {

struct MigrationFile {
  std::string_view name;  // "001_initial.up.sql"
  std::string_view sql;
};

// Sorted by name. Made at build time from migrations/*.sql.
std::span<const MigrationFile> migration_files();

class Database;

// The schema this program needs: the highest number of its files.
int64_t newest_schema();

// Brings the store up to newest_schema(), each migration and its PRAGMA user_version in one transaction. A store that
// holds data is copied first, to FILE.before-NNN. A newer one is refused (kInvalid). Makes the store's id when it has
// none.
Result<void> migrate(Database& db);

// Back to schema `target` (0: nothing left), by the down files; tests and an operator's rescue use it.
void migrate_down(Database& db, int64_t target);

}  // namespace pipekit::store
