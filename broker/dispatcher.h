// Which queued run goes to which worker: pure. Occupancy is handed in, derived from live attempts by the caller.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shared/protocol.h"

namespace pipekit {

// What the worker must have that gets a run, or a question, and what it takes from others while it lasts.
struct Needs {
  std::vector<std::string> tags;
  std::vector<std::string> drivers;
  std::vector<std::pair<std::string, int64_t>> uses;  // connections with their max_sessions (0: no limit)
  int64_t protocol = 1;                               // the version that brought what the run is to do

  // Counts once, however often it is added.
  void add(const ConnectionSnapshot& connection);
  // The protocol that a worker must speak to carry the definition out as it is written.
  void add_protocol_of(const ModuleSnapshot& module);
};
using Sessions = std::map<std::string, int64_t>;  // how many each connection has now

struct Vacancy {
  std::string worker;
  int64_t free_slots = 0;
  std::vector<std::string> tags;
  std::vector<std::string> drivers{};  // empty: any
  int64_t protocol = 1;
};

// Offered the queue's runs in the order in which they should go, one by one, until no slot is left: what a turn costs
// does not grow with a queue that waits for slots. A run that fits nowhere does not hold up those behind it.
class Placer {
 public:
  Placer(std::vector<Vacancy> vacancies, Sessions sessions);

  [[nodiscard]] bool full() const { return free_ == 0; }
  // The worker that is to have it; its slot and the sessions are taken by that. nullptr: nobody, for now.
  const std::string* place(const Needs& needs);

 private:
  std::vector<Vacancy> vacancies_;
  Sessions sessions_;
  int64_t free_ = 0;
};

// Why a run does not start now, the first reason that matters.
struct Obstacle {
  enum class Kind { none, no_worker, no_tags, no_driver, too_old, connection_full, no_slot };
  Kind kind = Kind::none;
  std::string name{};  // no_driver: the driver; connection_full: the connection
  int64_t max_sessions = 0;
  bool operator==(const Obstacle&) const = default;
};
Obstacle obstacle(const Needs& needs, const std::vector<Vacancy>& workers, const Sessions& sessions);
bool has_tags(const std::vector<std::string>& worker, const std::vector<std::string>& wanted);
bool suits(const Vacancy& worker, const Needs& needs);
// The first of `needs.uses` that has no session left.
const std::pair<std::string, int64_t>* full_connection(const Needs& needs, const Sessions& sessions);

}  // namespace pipekit
