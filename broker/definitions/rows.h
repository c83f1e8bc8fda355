// Definitions in the store: rows <-> JSON. All SQL over the definition tables that is not about runs is made here, from
// definition_fields.h. Called on the broker's writer inside a savepoint; what only reads also works read-only. Input is
// complete and checked (check.h), references are names that exist.
#pragma once

#include <optional>
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
void erase(Database& db, Kind kind, int64_t id);

// Makes the parts of `id` those of `definition`, keeping the rows (ids, last_fired_at) of those that are recognised.
void sync_parts(Database& db, Kind kind, int64_t id, const Json& definition, WallTime now);
void touch(Database& db, Kind kind, int64_t id, WallTime now);  // updated_at

// "module 'orders' (source_connection)": what refers to it, other than itself.
std::vector<std::string> users_of(Database& db, Kind kind, int64_t id);

}  // namespace pipekit::definitions
