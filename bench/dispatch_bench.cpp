// Durable dispatch: empty jobs through a real broker, the workers' own sessions and real sockets.
#include <fmt/format.h>

#include "bench/benchmark.h"
#include "bench/empty_worker.h"
#include "bench/local_broker.h"
#include "bench/machine.h"
#include "bench/sqlite_floor.h"
#include "bench/stopwatch.h"
#include "bench/submitter.h"

namespace pipekit::bench {
namespace {

constexpr size_t kModules = 1024;  // the most jobs that can be queued or running at once
constexpr int64_t kUnanswered = 256;
constexpr int kOneByOne = 500;
constexpr int kUncounted = 50;

void define_modules(test::TestClient& client) {
  auto modules = Json::array();
  for (size_t i = 0; i < kModules; ++i) {
    modules.push_back({{"name", JobBoard::module_name(i)},
                       {"source_connection", "nowhere"},
                       {"dest_connection", "nowhere"},
                       {"dest_table", "job"},
                       {"source_query", "SELECT id, state, body FROM job WHERE state = 'new' ORDER BY id"},
                       {"merge_strategy", "append"}});
  }
  auto connections = Json::array();
  connections.push_back({{"name", "nowhere"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:/nowhere.db"}});
  client.ask("apply", {{"document", {{"connections", connections}, {"modules", modules}}}});
}

// Jobs of a separate broker with two workers.
class Dispatch {
 public:
  explicit Dispatch(int slots) {
    define_modules(broker_.client());
    for (const auto* name : {"one", "two"}) {
      workers_.push_back(std::make_unique<EmptyWorker>(broker_.worker_endpoint(), name, slots, board_));
      broker_.events().wait_for(std::string("worker.joined of ") + name, [&](const test::LoggedEvent& event) {
        return event.kind == "worker.joined" && event.worker == name;
      });
    }
    burst(500);
  }

  // Doubles the number of jobs until they take long enough.
  std::map<std::string, double> throughput(double seconds) {
    int64_t jobs = 2000;
    for (;;) {
      const double broker_before = own_cpu_s(broker_.pid());
      const double took = burst(jobs);
      const double broker_cpu = own_cpu_s(broker_.pid()) - broker_before;
      const auto count = static_cast<double>(jobs);
      if (took > seconds * 0.6) {
        return {{"jobs", count},
                {"secs", took},
                {"jobs_per_s", count / took},
                {"broker_cpu_us_per_job", broker_cpu * 1e6 / count}};
      }
      jobs = static_cast<int64_t>(count * std::clamp(seconds / took, 1.5, 5.0));
    }
  }

  std::map<std::string, double> one_by_one() {
    std::vector<double> acks;
    std::vector<double> starts;
    std::vector<double> dones;
    for (int i = 0; i < kUncounted + kOneByOne; ++i) {
      const Stopwatch submitted;
      const auto number = submitter_.submit_one();
      const double ack = submitted.seconds();
      board_.wait_done(++jobs_);
      if (i < kUncounted) continue;
      const auto times = board_.times(number);
      acks.push_back(ack * 1e6);
      starts.push_back(std::chrono::duration<double, std::micro>(times.started - times.submitted).count());
      dones.push_back(std::chrono::duration<double, std::micro>(times.done - times.submitted).count());
    }
    return {{"ack_p50_us", percentile(acks, 50)},     {"ack_p99_us", percentile(acks, 99)},
            {"start_p50_us", percentile(starts, 50)}, {"start_p99_us", percentile(starts, 99)},
            {"rt_p50_us", percentile(dones, 50)},     {"rt_p99_us", percentile(dones, 99)}};
  }

 private:
  // The first submit to the last completion acknowledged, in seconds.
  double burst(int64_t jobs) {
    const Stopwatch watch;
    submitter_.submit(jobs, kUnanswered);
    jobs_ += jobs;
    board_.wait_done(jobs_);
    return watch.seconds();
  }

  LocalBroker broker_;
  JobBoard board_{kModules};
  std::vector<std::unique_ptr<EmptyWorker>> workers_;
  Submitter submitter_{broker_.control_endpoint(), board_};
  int64_t jobs_ = 0;
};

Json queue_labels(const char* variant) {
  return {{"kind", "queue"},
          {"peer", "pipekit"},
          {"variant", variant},
          {"durability", "SQLite commit per turn, fsync"},
          {"client", "C++ zmq"}};
}

Line measure(const char* variant, int slots, double seconds) {
  Dispatch dispatch(slots);
  Line line{variant, queue_labels(variant), dispatch.throughput(seconds)};
  line.values.merge(dispatch.one_by_one());
  return line;
}

std::vector<Line> round(const Sizes& sizes) {
  const test::TempDir dir;
  Line floor{"sqlite", {{"kind", "limit"}, {"what", "sqlite-wal"}}, sqlite_floor(dir.path(), sizes.seconds / 8)};
  return {std::move(floor), measure("slots64", 64, sizes.seconds), measure("slots1", 1, sizes.seconds / 2)};
}

}  // namespace

Benchmark dispatch_benchmark() {
  return {"dispatch",
          "Durable dispatch of empty jobs, two workers",
          {
              {"slots64", "jobs_per_s", "64 slots each, 256 submits open", "jobs/s", "sqlite", "sqlite_jobs_per_s",
               "SQLite, 100 jobs a commit"},
              {"slots1", "jobs_per_s", "one slot each", "jobs/s", "sqlite", "sqlite_commits_per_s", "SQLite commits"},
              {"slots64", "broker_cpu_us_per_job", "broker's processor time a job", "us"},
              {"slots64", "ack_p50_us", "submit to accepted, p50", "us", "sqlite", "sqlite_commit_p50_us",
               "a SQLite commit"},
              {"slots64", "start_p50_us", "submit to start, p50", "us", "sqlite", "sqlite_commit_p50_us",
               "a SQLite commit"},
              {"slots64", "start_p99_us", "submit to start, p99", "us"},
              {"slots64", "rt_p50_us", "submit to completion, p50", "us", "sqlite", "sqlite_commit_p50_us",
               "a SQLite commit"},
              {"slots64", "rt_p99_us", "submit to completion, p99", "us"},
              {"sqlite", "sqlite_jobs_per_s", "SQLite alone, 100 jobs a commit", "jobs/s"},
              {"sqlite", "sqlite_commits_per_s", "SQLite alone, a row a commit", "/s"},
          },
          round};
}

}  // namespace pipekit::bench
