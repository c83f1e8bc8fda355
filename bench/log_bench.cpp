// Log lines: a runner prints them, its worker streams them, the broker stores them and a live tail reads them. All
// programs are the shipped ones; a script that prints the lines starts the bundled runner.
#include <fmt/format.h>

#include <filesystem>

#include "bench/benchmark.h"
#include "bench/line_tail.h"
#include "bench/local_broker.h"
#include "bench/machine.h"
#include "bench/sqlite_floor.h"
#include "bench/stopwatch.h"
#include "bench/user_database.h"

namespace pipekit::bench {
namespace {

constexpr int64_t kLines = 200'000;
constexpr size_t kLineBytes = 120;

std::string chatty_runner(const test::TempDir& dir) {
  const auto path = dir.write(
      "chatty",
      fmt::format("#!/bin/sh\ncase \" $* \" in *\" -dt \"*) yes '{}' | head -n {} ;; esac\nexec '{}' \"$@\"\n",
                  std::string(kLineBytes - 1, 'l'), kLines, test::program_path("pipekit-jrunner")));
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

std::vector<Line> round(const Sizes& sizes) {
  LocalBroker broker;
  const auto worker = broker.start_worker("one", 1, chatty_runner(broker.dir()));
  for (const auto* key : {"log_head_bytes", "log_tail_bytes"}) {
    broker.client().ask("settings.set", {{"key", key}, {"value", 1 << 30}});
  }
  const auto pair = TablePair::make(broker.dir(), "log", 10);
  broker.client().ask("apply", {{"document", pair.document({"chatty"})}});
  const auto after = broker.events().catch_up();
  LineTail tail(broker.control_endpoint(), after, 1);
  const double broker_before = own_cpu_s(broker.pid());
  const double worker_before = own_cpu_s(worker->pid());
  broker.client().run("chatty");
  tail.wait_step("transfer");
  const Stopwatch watch;
  tail.wait_lines(kLines);
  const double took = watch.seconds();
  constexpr auto kCount = static_cast<double>(kLines);
  const double broker_cpu = own_cpu_s(broker.pid()) - broker_before;
  const double worker_cpu = own_cpu_s(worker->pid()) - worker_before;
  Line line{"chatty",
            {{"kind", "logs"}, {"peer", "pipekit"}, {"client", "C++ zmq"}},
            {{"lines", kCount},
             {"secs", took},
             {"lines_per_s", kCount / took},
             {"broker_cpu_us_per_line", broker_cpu * 1e6 / kCount},
             {"worker_cpu_us_per_line", worker_cpu * 1e6 / kCount}}};
  const test::TempDir dir;
  Line floor{"sqlite", {{"kind", "limit"}, {"what", "sqlite-wal"}}, sqlite_floor(dir.path(), sizes.seconds / 8)};
  return {std::move(line), std::move(floor)};
}

}  // namespace

Benchmark log_benchmark() {
  return {"log",
          "Log lines of 120 bytes from a runner through the store to a live tail",
          {
              {"chatty", "lines_per_s", "one chatty run", "lines/s", "sqlite", "sqlite_lines_per_s",
               "SQLite, 1000 lines a commit"},
              {"chatty", "worker_cpu_us_per_line", "worker's processor time a line", "us"},
              {"chatty", "broker_cpu_us_per_line", "broker's processor time a line", "us"},
              {"sqlite", "sqlite_lines_per_s", "SQLite alone, 1000 lines a commit", "lines/s"},
          },
          round};
}

}  // namespace pipekit::bench
