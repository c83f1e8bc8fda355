// A whole document of definitions against the store, in two parts. plan() reads only and may take long: it runs on the
// read thread. carry_out() writes what was planned, on the loop, inside the caller's savepoint. Between the two no
// definition may have changed: the caller compares Modules::generation().
//
// A definition that is listed becomes exactly what the document says: fields that are absent get their defaults, its
// watermarks, hooks, members and schedules are those listed. What the document does not list stays, unless `prune`
// removes it (drivers never). Applying twice changes nothing, in whatever order the lists are. A schedule is
// recognised by (group, kind, expression, zone) and keeps its last_fired_at; a rename is a removal and an addition.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/definitions/problem.h"
#include "broker/store/database.h"
#include "broker/time_budget.h"
#include "shared/clock.h"
#include "shared/definition_fields.h"
#include "shared/protocol.h"

namespace pipekit::definitions {

// One row to write.
struct Write {
  enum class What { insert, update, erase };
  What what;
  Kind kind;
  int64_t id = 0;      // update, erase; 0: of the row that write `row` inserts
  int64_t parent = 0;  // insert of a part; 0: of the row that write `row` inserts
  size_t row = 0;
  std::string text{};  // the definition as JSON
};

struct Plan {
  Problems problems;             // not empty: refuse; nothing is to be written
  Json changes = Json::array();  // PROTOCOL.md, apply
  bool changed = false;
  std::vector<Write> writes;
};

// Throws OverBudget.
Plan plan(store::Database& db, const Json& document, bool prune, const TimeBudget& budget = {});

// A plan without problems.
void carry_out(store::Database& db, const Plan& plan, WallTime now);

// The store as a document: fields that have their defaults are left out. Passwords are references and are exported.
Json export_document(store::Database& db, const TimeBudget& budget = {});

}  // namespace pipekit::definitions
