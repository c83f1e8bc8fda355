// The system under chaos: a broker, four workers, SQLite and PostgreSQL destinations, and modules of each strategy with
// a changing source. It can be damaged in every way that a host, a network or a database can fail, and be healed; at
// the end it says whether each destination contains what its runs reported.
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
  // `plant`: a guard that is broken in the workers (shared/planted_fault.h); empty for none.
  ChaosSite(uint32_t seed, std::string plant);

  // Does some work: usually starts a run, sometimes cancels one, sometimes changes the source.
  void work();
  // Makes something fail. Returns what, for the trace.
  std::string hurt();
  // Everything suspended continues, everything killed is restarted.
  void heal();

  // After heal(): waits until every run has ended, runs each module once more, and compares. Returns one line per
  // mistake.
  std::vector<std::string> verdict();
  [[nodiscard]] size_t runs() const { return runs_.size(); }

 private:
  // Faults that end by themselves: a suspended worker continues, a cut link is healed.
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
  std::string write_key(const std::string& name) const;
  [[nodiscard]] std::string key_file(const std::string& name) const { return keys_.file(name + ".key"); }

  TempDir keys_;
  int port_;  // the broker's worker port
  std::string broker_key_;
  LocalSystem system_;
  std::map<std::string, std::unique_ptr<TcpProxy>> links_;  // one for each worker
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
  std::map<std::string, int64_t> merged_rows_;  // of append modules, as reported by their runs
};

}  // namespace pipekit::test
