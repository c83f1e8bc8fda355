// A whole document of definitions against the store. All or nothing inside the caller's savepoint: with problems, or
// for a dry run, the caller rolls back (what was written by then is in the savepoint).
//
// A definition that is listed becomes exactly what the document says: fields that are absent get their defaults, its
// watermarks, hooks, members and schedules are those listed. What the document does not list stays, unless `prune`
// removes it (drivers never). Applying twice changes nothing, in whatever order the lists stand. A schedule is
// recognised by (group, kind, expression, zone) and keeps its last_fired_at; a rename is a removal and an addition.
#pragma once

#include <string>
#include <vector>

#include "broker/store/database.h"
#include "shared/clock.h"
#include "shared/error.h"
#include "shared/protocol.h"

namespace pipekit::definitions {

struct Problem {
  std::string path;  // "modules[3].merge_strategy"
  std::string message;
  std::string hint;
};

struct ApplyOptions {
  bool dry_run = false;  // the outcome says what would change; the caller rolls back
  bool prune = false;
};

struct ApplyOutcome {
  std::vector<Problem> problems;  // all of them; not empty: refuse and roll back
  Json changes = Json::array();   // PROTOCOL.md, apply
  bool changed = false;
  std::vector<ModuleId> touched;  // modules added, updated or removed
};

ApplyOutcome apply(store::Database& db, const Json& document, const ApplyOptions& options, WallTime now);

// body.problems of the reply.
Json to_json(const std::vector<Problem>& problems);
// kInvalid; the message has every problem, one a line.
Error to_error(const std::vector<Problem>& problems);

// The store as a document: fields that have their defaults are left out. Passwords are references and are exported.
Json export_document(store::Database& db);

}  // namespace pipekit::definitions
