// How long the programs take to start, and what they cost when idle.
#include <thread>

#include "bench/benchmark.h"
#include "bench/local_broker.h"
#include "bench/machine.h"
#include "bench/stopwatch.h"
#include "bench/user_database.h"

namespace pipekit::bench {
namespace {

double call_ms(const std::string& program, const std::vector<std::string>& args) {
  constexpr int kCalls = 15;
  std::vector<double> took;
  for (int i = 0; i < kCalls; ++i) {
    const Stopwatch watch;
    const auto result = test::run_program(program, args);
    took.push_back(watch.seconds() * 1e3);
    if (result.exit_code != 0) throw std::runtime_error(program + ": " + result.err);
  }
  return percentile(took, 50);
}

// Over a period without requests.
struct Idle {
  explicit Idle(pid_t process) : pid(process), cpu(own_cpu_s(process)), switches(voluntary_switches(process)) {}
  void add(const std::string& name, double seconds, std::map<std::string, double>& values) const {
    values[name + "_idle_cpu_ms_per_s"] = (own_cpu_s(pid) - cpu) * 1e3 / seconds;
    values[name + "_idle_wakeups_per_s"] = static_cast<double>(voluntary_switches(pid) - switches) / seconds;
    values[name + "_resident_mib"] = resident_mib(pid);
  }
  pid_t pid;
  double cpu;
  long switches;
};

std::vector<Line> round(const Sizes& sizes) {
  Line line{"programs", {{"kind", "start"}, {"peer", "pipekit"}}, {}};
  const Stopwatch broker_start;
  LocalBroker broker;
  broker.client().ask("status");
  line.values["broker_start_ms"] = broker_start.seconds() * 1e3;
  const Stopwatch worker_start;
  const auto worker = broker.start_worker("one", 4);
  line.values["worker_start_ms"] = worker_start.seconds() * 1e3;

  const auto pair = TablePair::make(broker.dir(), "start", 10);
  const auto script = broker.dir().write("one.sql", "SELECT 1");
  line.values["ctl_ms"] = call_ms(test::program_path("pipekit-ctl"), {"--broker", broker.control_endpoint(), "status"});
  line.values["jrunner_ms"] = call_ms(test::program_path("pipekit-jrunner"),
                                      {"-scu", "jdbc:sqlite:" + pair.source, "-sq", script, "-f", "csv"});
  line.values["sqlite3_ms"] = call_ms("sqlite3", {"-readonly", pair.source, "SELECT 1"});

  const Idle idle_broker(broker.pid());
  const Idle idle_worker(worker->pid());
  const Stopwatch idle;
  std::this_thread::sleep_for(std::chrono::duration<double>(sizes.seconds * 2));
  idle_broker.add("broker", idle.seconds(), line.values);
  idle_worker.add("worker", idle.seconds(), line.values);
  return {std::move(line)};
}

}  // namespace

Benchmark start_benchmark() {
  return {
      "start",
      "Start-up, and what is idle",
      {
          {"programs", "broker_start_ms", "broker, new store, to its first answer", "ms"},
          {"programs", "worker_start_ms", "worker, to joined", "ms"},
          {"programs", "ctl_ms", "pipekit-ctl status", "ms"},
          {"programs", "jrunner_ms", "pipekit-jrunner SELECT 1", "ms", "programs", "sqlite3_ms", "sqlite3 SELECT 1"},
          {"programs", "broker_idle_cpu_ms_per_s", "idle broker, processor time", "ms/s"},
          {"programs", "broker_idle_wakeups_per_s", "idle broker, wake-ups", "/s"},
          {"programs", "broker_resident_mib", "idle broker, memory", "MiB"},
          {"programs", "worker_idle_cpu_ms_per_s", "idle worker, processor time", "ms/s"},
          {"programs", "worker_idle_wakeups_per_s", "idle worker, wake-ups", "/s"},
          {"programs", "worker_resident_mib", "idle worker, memory", "MiB"},
      },
      round};
}

}  // namespace pipekit::bench
