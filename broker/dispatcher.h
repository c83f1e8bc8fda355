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

// Offered the queue's runs in the order in which they should go, one by one, until no slot is left: what a turn costs
// does not grow with a queue that waits for slots. A run that fits nowhere does not hold up those behind it.
class Placer {
 public:
  // `sessions`: how many each connection has now.
  Placer(std::vector<Vacancy> vacancies, std::map<std::string, int64_t> sessions);

  [[nodiscard]] bool full() const { return free_ == 0; }
  // The worker that is to have it; its slot and the sessions are taken by that. nullptr: nobody, for now.
  const std::string* place(const Waiting& run);

 private:
  std::vector<Vacancy> vacancies_;
  std::map<std::string, int64_t> sessions_;
  int64_t free_ = 0;
};

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
