// Implements the verbs K.list, K.show, K.add, ... of PROTOCOL.md. Runs on the broker's writer, inside the savepoint of
// its request: a refusal may leave rows behind, and the caller rolls back. Lists and shows also work on a read-only
// Database. Bodies have the form that CONTRACT.md, JSON describes.
//
// A `ref` is a name (string) or an id (integer); a string of digits that is not a name is an id. References inside
// `fields` and `set` are names only. Unknown: kNotFound with the nearest name in the hint. Names that exist already:
// kExists. Wrong fields: kInvalid, all in one message. Objects that are still in use: kInUse, with their users.
#pragma once

#include <optional>

#include "broker/store/database.h"
#include "shared/clock.h"
#include "shared/definition_fields.h"
#include "shared/error.h"
#include "shared/protocol.h"

namespace pipekit::definitions {

using store::Database;

// driver, connection, module, group.
Result<Json> list(Database& db, Kind kind);
Result<Json> show(Database& db, Kind kind, const Json& ref);
// `fields` as in a definition file, watermarks, hooks, members and schedules inline. "name" is a field.
Result<Json> add(Database& db, Kind kind, const Json& fields, WallTime now);
// `set` holds the fields to change; null gives a field its default. An inline part replaces all of that part.
Result<Json> update(Database& db, Kind kind, const Json& ref, const Json& set, WallTime now);
Result<Json> remove(Database& db, Kind kind, const Json& ref);  // {removed: name}
Result<Json> set_enabled(Database& db, const Json& module, bool enabled, WallTime now);

// Parts: watermark and hook of a module, schedule of a group. A watermark is named by name or id, a hook and a schedule
// by id.
Result<Json> list_parts(Database& db, Kind kind, const Json& parent);
Result<Json> list_schedules(Database& db);  // of all groups
Result<Json> add_part(Database& db, Kind kind, const Json& parent, const Json& fields, WallTime now);
Result<Json> update_part(Database& db, Kind kind, const Json& parent, const Json& ref, const Json& set, WallTime now);
Result<Json> remove_part(Database& db, Kind kind, const Json& parent, const Json& ref, WallTime now);

// Both answer the group. Without run_order the member comes last.
Result<Json> add_member(Database& db, const Json& group, const Json& module, std::optional<int64_t> run_order);
Result<Json> remove_member(Database& db, const Json& group, const Json& module);

// The id of what `ref` names, or kNotFound as above.
Result<int64_t> resolve(Database& db, Kind kind, const Json& ref);
std::optional<ModuleId> find_module(Database& db, const Json& ref);
std::optional<int64_t> find_group(Database& db, const Json& ref);

// The module as a run will use it: connections resolved, watermarks by name, hooks by (run_order, id). kNotFound.
Result<ModuleSnapshot> snapshot(Database& db, ModuleId module);
// For connection.test.
Result<ConnectionSnapshot> connection_snapshot(Database& db, const Json& ref);

}  // namespace pipekit::definitions
