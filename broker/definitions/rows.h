// Definitions in the store: rows <-> JSON. All SQL on the definition tables that is not about runs is built here, from
// definition_fields.h. Called on the broker's writer inside a savepoint; what only reads also works read-only. Input is
// complete and checked (check.h), references are names that exist.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/store/database.h"
#include "shared/clock.h"
#include "shared/definition_fields.h"
#include "shared/protocol.h"

namespace pipekit::definitions {

using store::Database;

// As it is shown: id, the fields (a reference as x_id and x), and what is derived (running, last_status, ...).
std::optional<Json> read(Database& db, Kind kind, int64_t id);
Json read_all(Database& db, Kind kind);  // by name
Json read_parts(Database& db, Kind part, int64_t parent);
// The row with its parts: "watermarks": [...].
std::optional<Json> read_whole(Database& db, Kind kind, int64_t id);

// The complete definition within what is shown, sorted.
Json definition_of(Kind kind, const Json& shown);

std::optional<int64_t> id_of(Database& db, Kind kind, std::string_view name);
std::optional<std::string> name_of(Database& db, Kind kind, int64_t id);
std::vector<std::string> names(Database& db, Kind kind);

// A reference to its own kind that does not exist yet is left out; write it again when it does. Ids are never those of
// a removed definition that has a history.
int64_t insert(Database& db, Kind kind, const Json& definition, int64_t parent, WallTime now);
void rewrite(Database& db, Kind kind, int64_t id, const Json& definition, WallTime now);
// The same with the definition as JSON text, which may have been made on another thread. The text of a new module has
// its fence_name too.
int64_t insert_text(Database& db, Kind kind, const std::string& definition, int64_t parent, WallTime now);
void rewrite_text(Database& db, Kind kind, int64_t id, const std::string& definition, WallTime now);

// The fence's names that modules and live runs have. A rename keeps the fence's name, so a new module may find its own
// taken, and two modules must not share a fence. Nor may a new one share it with a removed one whose run still lives:
// its claim would trim what that run's retry asks for.
class FenceNames {
 public:
  explicit FenceNames(Database& db);
  std::string take(std::string name);

 private:
  std::set<std::string> taken_;
};
void erase(Database& db, Kind kind, int64_t id);

// What has to be done to a definition's list of parts, in this order. `part`: of the list that is wanted.
struct PartChange {
  enum class What { rewrite, erase, insert };
  What what;
  int64_t id;  // of the row
  const Json* part;
};
// `rows`: as read_parts() shows them. Rows of parts that are recognised stay.
std::vector<PartChange> part_changes(Kind part, const Json& rows, const Json& wanted);
// Makes the parts of `id` those of `definition`, keeping the rows (ids, last_fired_at) of those that are recognised.
void sync_parts(Database& db, Kind kind, int64_t id, const Json& definition, WallTime now);
void touch(Database& db, Kind kind, int64_t id, WallTime now);  // updated_at

// "module 'orders' (source_connection)": what refers to it, other than itself.
std::vector<std::string> users_of(Database& db, Kind kind, int64_t id);

}  // namespace pipekit::definitions
