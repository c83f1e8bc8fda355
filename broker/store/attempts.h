// Attempts: one row a try of a run; the row's id is its epoch. Transitions are those of attempt_state.h, guarded here
// by the state they start from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "broker/store/database.h"
#include "shared/clock.h"

namespace pipekit::store::attempts {

struct NewAttempt {
  RunId run;
  int64_t number = 1;
  std::optional<Epoch> previous;
  bool reconcile = false;
  std::string worker;
  std::string incarnation;
};
Epoch insert(Database& db, const NewAttempt& attempt, WallTime now);

struct Row {
  Epoch epoch;
  RunId run;
  int64_t number = 1;
  std::optional<Epoch> previous;
  bool reconcile = false;
  std::string worker;
  std::string incarnation;
  AttemptState state = AttemptState::assigned;
  bool merging = false;
  int64_t fact_seq = 0;
  int64_t assigned_at = 0;
};
std::optional<Row> find(Database& db, Epoch epoch);

// The attempts of a run before `newest`, newest first.
std::vector<Epoch> earlier(Database& db, Epoch newest);

// Whether this attempt or one before it may have merged, and none since has been told by the destination.
bool outcome_open(Database& db, Epoch newest);

// The state that `event` leads to, when the row was still in `from` and the table allows it.
std::optional<AttemptState> apply(Database& db, Epoch epoch, AttemptState from, AttemptEvent event, WallTime now);

// True when `seq` was the next fact of this attempt.
bool advance(Database& db, Epoch epoch, int64_t seq);
void set_merging(Database& db, Epoch epoch);
void record_end(Database& db, Epoch epoch, const std::string& status, const std::string& outcome,
                const std::string& error, std::optional<int64_t> row_count, const std::vector<StepTime>& steps);
// Of one that was lost.
void record_steps(Database& db, Epoch epoch, const std::vector<StepTime>& steps);
Json steps_json(const std::vector<StepTime>& steps);

// Staging that an attempt may have left behind.
void add_leftover(Database& db, ModuleId module, RunKey key);
std::vector<RunKey> leftovers(Database& db, ModuleId module);
void clear_leftovers(Database& db, ModuleId module, Epoch up_to);

Epoch highest(Database& db);

}  // namespace pipekit::store::attempts
