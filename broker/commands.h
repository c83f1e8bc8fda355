// The verbs that change something, or that need data which is only in memory. Each handler works inside the savepoint
// of its request; the caller rolls back when it refuses.
#pragma once

#include <map>
#include <string>

#include "broker/definitions/apply.h"
#include "broker/group_flow.h"
#include "broker/modules.h"
#include "broker/run_flow.h"
#include "broker/settings.h"
#include "broker/turn.h"

namespace pipekit::commands {

struct Context {
  Turn& turn;
  store::Database& db;
  Modules& modules;
  RunFlow& runs;
  GroupFlow& groups;
  Settings& settings;
  const Request& request;
  std::string owner;  // of the answer: identity_of() in sender.h
  // Set by the handler:
  bool discard = false;  // roll back although it succeeded (diff, dry runs, questions)
  bool schedules_changed = false;
  bool keys_changed = false;
  bool workers_changed = false;  // one was drained or resumed
  Json problems = nullptr;       // body of a refusal
};

using Handler = Result<Json> (*)(Context&);

// Writes an audit entry: who did what, when; with the fields of the object that differ, before and after.
void audit(store::Database& db, WallTime at, const Request& request, const std::string& object,
           const Json& before = nullptr, const Json& after = nullptr);

// Writes what a document changes (documents.h).
Result<Json> apply(Context& c, const definitions::Plan& plan);

// nullptr: no such verb here.
Handler find(const std::string& verb);
std::vector<std::string> verbs();

}  // namespace pipekit::commands
