// The system under chaos: a broker, four workers, SQLite and PostgreSQL destinations, modules of each strategy over one
// source that changes. It can be hurt in every way that a host, a network or a database hurts, and be healed; at the
// end it says whether each destination holds what its runs say.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "shared/clock.h"
#include "tests/fault/scenario.h"
#include "tests/support/tcp_proxy.h"

namespace pipekit::test {

struct ChaosModule {
  std::string name;
  std::string strategy;
  Engine engine;
};

class ChaosSite {
 public:
  // `plant`: a guard that the workers have broken (shared/planted_fault.h); empty: none.
  ChaosSite(uint32_t seed, std::string plant);

  // Something is asked for: most often a run, sometimes that one is cancelled, sometimes the source changes.
  void work();
  // Something goes wrong. Answers what, for the trace.
  std::string hurt();
  // Everything that stands still goes on, everything that was killed is there again.
  void heal();

  // After heal(): waits until every run has ended, runs each module once more, and compares. What is wrong, a line
  // each.
  std::vector<std::string> verdict();
  [[nodiscard]] size_t runs() const { return runs_.size(); }

 private:
  // What ends by itself: a worker that was stopped goes on, a link that was cut is healed.
  struct Lasting {
    std::string worker;
    MonoTime until;
  };

  void define();
  void start_worker(const std::string& name);
  void go_on_when_due();
  TcpProxy& link_of(const std::string& worker) { return *links_.at(worker); }
  void pause(Millis time);
  int up_to(int most) { return static_cast<int>(random_() % static_cast<unsigned>(most)); }
  std::string any_worker() { return "w" + std::to_string(1 + up_to(4)); }
  std::string kill_a_runner();
  std::string end_a_session();
  Database& database(Engine engine) { return engine == Engine::sqlite ? *sqlite_ : *postgres_; }
  void expect_rows(const ChaosModule& module, std::vector<std::string>& wrong);

  std::mt19937 random_;
  std::string plant_;
  SystemClock clock_;
  int port_;  // the broker's, for workers
  LocalSystem system_;
  std::map<std::string, std::unique_ptr<TcpProxy>> links_;  // each worker's own
  std::unique_ptr<Database> source_;
  std::unique_ptr<Database> sqlite_;
  std::unique_ptr<Database> postgres_;
  std::string database_;
  std::vector<ChaosModule> modules_;
  std::vector<Lasting> stopped_;
  std::vector<Lasting> cut_;
  struct Run {
    int64_t id;
    size_t module;
  };
  std::vector<Run> runs_;
  std::map<std::string, int64_t> merged_rows_;  // of append modules, by what their runs say
};

}  // namespace pipekit::test
