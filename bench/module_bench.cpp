// Runs of modules from SQLite to SQLite with the shipped programs: ten rows, all eleven steps.
#include <fmt/format.h>

#include "bench/benchmark.h"
#include "bench/local_broker.h"
#include "bench/machine.h"
#include "bench/stopwatch.h"
#include "bench/user_database.h"

namespace pipekit::bench {
namespace {

constexpr int kModules = 8;  // each with its own files, so that they do not wait for one another
constexpr int kSlots = 4;    // of each of two workers
constexpr int kOneByOne = 12;
constexpr int kRows = 10;

class ModuleRuns {
 public:
  ModuleRuns() {
    for (int i = 0; i < kModules; ++i) {
      const auto name = fmt::format("module{}", i);
      const auto pair = TablePair::make(broker_.dir(), name, kRows);
      broker_.client().ask("apply", {{"document", pair.document({name})}});
      names_.push_back(name);
    }
    workers_.push_back(broker_.start_worker("one", kSlots));
    workers_.push_back(broker_.start_worker("two", kSlots));
    last_seq_ = broker_.events().catch_up();
    for (const auto& name : names_) submit(name);  // the first run of a module creates its fence
    for (size_t i = 0; i < names_.size(); ++i) next_finished();
  }

  std::map<std::string, double> throughput(double seconds) {
    const double worker_before = worker_cpu();
    const double broker_before = own_cpu_s(broker_.pid());
    const Stopwatch watch;
    for (const auto& name : names_) submit(name);
    int runs = 0;
    for (size_t live = names_.size(); live > 0; ++runs) {
      const auto module = next_finished().module;
      --live;
      if (watch.seconds() >= seconds) continue;
      submit(module);
      ++live;
    }
    const double took = watch.seconds();
    return {{"runs", runs},
            {"secs", took},
            {"runs_per_s", runs / took},
            {"worker_cpu_ms_per_run", (worker_cpu() - worker_before) * 1e3 / runs},
            {"broker_cpu_ms_per_run", (own_cpu_s(broker_.pid()) - broker_before) * 1e3 / runs}};
  }

  // As the broker measures it, from the assignment to the end.
  std::map<std::string, double> one_by_one() {
    std::vector<double> took;
    for (int i = 0; i < kOneByOne; ++i) {
      submit(names_.front());
      took.push_back(next_finished().fields.at("duration_ms").get<double>());
    }
    return {{"run_p50_ms", percentile(took, 50)}, {"run_p99_ms", percentile(took, 99)}};
  }

 private:
  void submit(const std::string& module) { broker_.client().run(module); }

  const test::LoggedEvent& next_finished() {
    const auto& event = broker_.events().wait_for(
        "the end of a run", [](const test::LoggedEvent& e) { return e.kind == "run.finished"; }, last_seq_);
    last_seq_ = event.seq;
    if (event.fields.value("status", "") == "success" && event.fields.value("row_count", 0) == kRows) return event;
    throw std::runtime_error("a run did not succeed: " + event.fields.dump());
  }

  // The runners and their supervisors included.
  double worker_cpu() {
    double total = 0;
    for (const auto& worker : workers_) total += tree_cpu_s(worker->pid());
    return total;
  }

  LocalBroker broker_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<test::RunningProgram>> workers_;
  int64_t last_seq_ = 0;
};

// A single call of the runner that does almost nothing.
std::map<std::string, double> runner_start() {
  const test::TempDir dir;
  const auto pair = TablePair::make(dir, "start", 1);
  const auto script = dir.write("one.sql", "SELECT 1");
  std::vector<double> took;
  for (int i = 0; i < 30; ++i) {
    const Stopwatch watch;
    const auto result = test::run_program(test::program_path("pipekit-jrunner"),
                                          {"-scu", "jdbc:sqlite:" + pair.source, "-sq", script, "-f", "csv"});
    if (result.exit_code != 0) throw std::runtime_error("pipekit-jrunner: " + result.err);
    took.push_back(watch.seconds() * 1e3);
  }
  return {{"runner_call_p50_ms", percentile(took, 50)}};
}

std::vector<Line> round(const Sizes& sizes) {
  ModuleRuns runs;
  Line line{"sqlite-sqlite", {{"kind", "module"}, {"peer", "pipekit"}}, runs.throughput(sizes.seconds)};
  line.values.merge(runs.one_by_one());
  Line floor{"runner", {{"kind", "limit"}, {"what", "pipekit-jrunner"}}, runner_start()};
  return {std::move(line), std::move(floor)};
}

}  // namespace

Benchmark module_benchmark() {
  return {"module",
          "Module runs, SQLite to SQLite, 10 rows, all eleven steps",
          {
              {"sqlite-sqlite", "runs_per_s", "8 modules, two workers of 4 slots", "runs/s"},
              {"sqlite-sqlite", "run_p50_ms", "a run by itself, p50", "ms", "runner", "runner_call_p50_ms",
               "a call of the runner"},
              {"sqlite-sqlite", "worker_cpu_ms_per_run", "processor time a run, worker", "ms"},
              {"sqlite-sqlite", "broker_cpu_ms_per_run", "processor time a run, broker", "ms"},
              {"runner", "runner_call_p50_ms", "a call of the runner (SELECT 1)", "ms"},
          },
          round};
}

}  // namespace pipekit::bench
