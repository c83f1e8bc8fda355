// What was promised in a world, and whether it is kept: the invariants (docs/SIMULATION.md). Clients report the answers
// they got, destinations report commits, and the store is queried after each turn.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/simulation/destination.h"
#include "tests/simulation/simulated_broker.h"
#include "tests/simulation/simulated_worker.h"

namespace pipekit::simulation {

struct SimulatedModule {
  std::string name;  // also that of its table
  std::string strategy;
  std::string connection;
  bool fenced = true;
};

class Promises final : public CommitWatch {
 public:
  Promises(World& world, SimulatedBroker& broker, std::vector<std::unique_ptr<SimulatedWorker>>& workers,
           std::vector<SimulatedModule> modules, std::map<std::string, int64_t> sessions_of);

  // --- reports
  void committed(Session& session, const std::set<std::string>& tables) override;
  void accepted(const Request& request, const Json& body);
  void refused(const Request& request, const WireError& error);
  // The events that a tail has shown; `next` as in TailReply.
  void shown(const std::string& who, int64_t after, const TailReply& reply);

  // --- checks
  void before_turn(const std::vector<Received>& from_workers);
  void after_turn();
  // Everything is healed, and all runs must have ended.
  void at_end(const Destinations& destinations);
  [[nodiscard]] bool all_final();
  // For messages: the runs and group runs that have not ended.
  [[nodiscard]] std::string what_lives();

 private:
  struct Merge {
    Epoch epoch;
    std::string module;
    int64_t rows = 0;
  };
  void merged(Session& session, const SimulatedModule& module);
  void read_events();
  void look_at(const Event& event);
  void look_at(const LogChunk& chunk);
  void log(int64_t seq, std::string text);
  void check_leases();
  void check_renewed();
  void check_capacity();
  void check_accepted();
  void check_requests();
  void check_runs();
  void check_run(int64_t run, const std::string& module, const std::string& status, const std::string& code,
                 std::optional<int64_t> row_count);
  void check_rows(const Destinations& destinations);
  void check_groups();
  void check_ledger();
  void check_viewer();
  [[nodiscard]] const SimulatedModule* module_of_table(const std::string& table) const;

  World& world_;
  SimulatedBroker& broker_;
  std::vector<std::unique_ptr<SimulatedWorker>>& workers_;
  std::vector<SimulatedModule> modules_;
  std::map<std::string, int64_t> sessions_of_;    // connection -> max_sessions
  std::map<int64_t, std::vector<Merge>> merges_;  // by run
  struct Accepted {
    Request request;
    Json body;
  };
  std::vector<Accepted> accepted_;
  std::vector<Request> refused_;
  std::vector<RunKey> renewed_;   // live attempts that a heartbeat of the turn lists
  std::vector<std::string> log_;  // the event log as text; the first event has the number 1
  std::set<int64_t> finished_;    // runs with their run.finished
  std::set<std::string> lines_;   // of the runs' logs
  std::set<std::string> fired_;   // schedules with their scheduled times
};

}  // namespace pipekit::simulation
