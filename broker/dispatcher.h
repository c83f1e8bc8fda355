// Which queued run goes to which worker: pure. Occupancy is handed in, derived from live attempts by the caller.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shared/protocol.h"

namespace pipekit {

struct Waiting {
  RunId run;
  std::vector<std::string> tags;                      // all of them must be the worker's
  std::vector<std::pair<std::string, int64_t>> uses;  // connections with their max_sessions (0: no limit)
};

struct Vacancy {
  std::string worker;
  int64_t free_slots = 0;
  std::vector<std::string> tags;
};

struct Placement {
  RunId run;
  std::string worker;
};

// `waiting` in the order in which they should go. `sessions`: how many each connection has now. A run that fits nowhere
// does not hold up those behind it.
std::vector<Placement> place(const std::vector<Waiting>& waiting, std::vector<Vacancy> vacancies,
                             std::map<std::string, int64_t> sessions);

// Why a run does not start now, the first reason that matters.
struct Obstacle {
  enum class Kind { none, no_worker, no_tags, connection_full, no_slot };
  Kind kind = Kind::none;
  std::string connection{};  // the full one
  int64_t max_sessions = 0;
  bool operator==(const Obstacle&) const = default;
};
Obstacle obstacle(const Waiting& run, const std::vector<Vacancy>& workers,
                  const std::map<std::string, int64_t>& sessions);
bool has_tags(const std::vector<std::string>& worker, const std::vector<std::string>& wanted);

}  // namespace pipekit
