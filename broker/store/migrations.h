// The schema's history, embedded in the program.
#pragma once

#include <span>
#include <string_view>

namespace pipekit::store {

struct MigrationFile {
  std::string_view name;  // "001_initial.up.sql"
  std::string_view sql;
};

// Sorted by name. Made at build time from migrations/*.sql.
std::span<const MigrationFile> migration_files();

}  // namespace pipekit::store
