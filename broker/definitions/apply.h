// A whole document of definitions against the store. All or nothing inside the caller's savepoint: with problems, or
// for a dry run, the caller rolls back (what was written by then is in the savepoint).
//
// A definition that is listed becomes exactly what the document says: fields that are absent get their defaults, its
// watermarks, hooks, members and schedules are those listed. What the document does not list stays, unless `prune`
// removes it (drivers never). Applying twice changes nothing, in whatever order the lists stand. A schedule is
// recognised by (group, kind, expression, zone) and keeps its last_fired_at; a rename is a removal and an addition.
#pragma once

#include <vector>

#include "broker/definitions/problem.h"
#include "broker/store/database.h"
#include "shared/clock.h"
#include "shared/protocol.h"

namespace pipekit::definitions {

struct ApplyOptions {
  bool dry_run = false;  // the outcome says what would change; the caller rolls back
  bool prune = false;
};

struct ApplyOutcome {
  Problems problems;             // all of them; not empty: refuse and roll back
  Json changes = Json::array();  // PROTOCOL.md, apply
  bool changed = false;
  std::vector<ModuleId> touched;  // modules added, updated or removed
};

ApplyOutcome apply(store::Database& db, const Json& document, const ApplyOptions& options, WallTime now);

// The store as a document: fields that have their defaults are left out. Passwords are references and are exported.
Json export_document(store::Database& db);

}  // namespace pipekit::definitions
