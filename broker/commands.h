// The verbs that change something or need what only memory knows. Each handler works inside the savepoint of its
// request: what it refuses is rolled back by the caller.
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
  std::string owner;  // whose the answer is: sender.h
  // Set by the handler:
  bool discard = false;  // roll back although it succeeded (diff, dry runs, questions)
  bool schedules_changed = false;
  bool keys_changed = false;
  bool workers_changed = false;  // the mark of one: drained
  Json problems = nullptr;       // body of a refusal
};

using Handler = Result<Json> (*)(Context&);

// Who asked for what, when; with the object before and after where there is one.
void audit(store::Database& db, WallTime at, const Request& request, const std::string& object,
           const Json& before = nullptr, const Json& after = nullptr);

// Writes what a document changes (documents.h).
Result<Json> apply(Context& c, const definitions::Plan& plan);

// nullptr: no such verb here.
Handler find(const std::string& verb);
std::vector<std::string> verbs();

}  // namespace pipekit::commands
