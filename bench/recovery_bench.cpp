// How long it takes until work continues after a process or a host has failed. docs/RECOVERY.md has the limits.
#include <fmt/format.h>

#include <random>
#include <thread>

#include "bench/benchmark.h"
#include "bench/recovery_site.h"
#include "bench/stopwatch.h"

namespace pipekit::bench {
namespace {

void pass(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

// At any moment between two heartbeats: how much of a lease is left depends on that.
void pass_part_of_heartbeat(double lease_s) {
  static std::mt19937 random(std::random_device{}());
  pass(std::uniform_real_distribution(0.0, lease_s / 6)(random));
}

double worker_restarted(double lease_s) {
  RecoverySite site(lease_s);
  site.start_worker("one");
  const auto run = site.begin_run();
  const Stopwatch watch;
  site.kill_worker("one");
  site.start_worker("one");
  site.wait_for_attempt(run, 2);
  const double took = watch.seconds();
  site.expect_success(run, 2);
  return took;
}

double worker_host_lost(double lease_s) {
  RecoverySite site(lease_s);
  site.start_worker("one");
  const auto run = site.begin_run();
  site.start_worker("two");
  pass_part_of_heartbeat(lease_s);
  const Stopwatch watch;
  site.lose_worker_host("one");
  site.wait_for_attempt(run, 2);
  const double took = watch.seconds();
  site.expect_success(run, 2);
  return took;
}

// Until the first answer, and until the first run starts on a worker that was connected before.
std::pair<double, double> broker_restarted(double lease_s) {
  RecoverySite site(lease_s);
  site.start_worker("one");
  const auto done = site.begin_run();
  site.client().ask("cancel", {{"run_id", done}});
  site.wait_for_end(done);
  pass_part_of_heartbeat(lease_s);
  const Stopwatch watch;
  site.kill_broker();
  site.start_broker();
  site.client().ask("status");
  const double answered = watch.seconds();
  const auto run = site.client().run("orders");
  site.wait_for_attempt(run, 1);
  const double begun = watch.seconds();
  site.expect_success(run, 1);
  return {answered, begun};
}

// Down for as long as a lease, so its worker has ended the transfer. Measured from the start of the broker.
double broker_host_back(double lease_s) {
  RecoverySite site(lease_s);
  site.start_worker("one");
  const auto run = site.begin_run();
  site.lose_broker_host();
  pass(lease_s);
  pass_part_of_heartbeat(lease_s);
  site.heal();
  const Stopwatch watch;
  site.start_broker();
  site.wait_for_attempt(run, 2);
  const double took = watch.seconds();
  site.expect_success(run, 2);
  return took;
}

Line measured(const std::string& variant, double lease_s) {
  Line line{variant, {{"kind", "recovery"}, {"peer", "pipekit"}, {"lease_s", fmt::format("{}", lease_s)}}, {}};
  line.values["worker_restarted_s"] = worker_restarted(lease_s);
  line.values["worker_host_lost_s"] = worker_host_lost(lease_s);
  const auto [answered, begun] = broker_restarted(lease_s);
  line.values["broker_answers_s"] = answered;
  line.values["broker_dispatches_s"] = begun;
  line.values["broker_host_back_s"] = broker_host_back(lease_s);
  return line;
}

std::vector<Line> round(const Sizes&) {
  if (const auto missing = test::NetworkNamespace::missing(); !missing.empty()) throw std::runtime_error(missing);
  return {measured("default", 60), measured("short", 6)};
}

std::vector<Figure> figures() {
  std::vector<Figure> all;
  for (const auto* variant : {"default", "short"}) {
    const std::string lease = std::string(variant) == "default" ? "lease 60 s: " : "lease 6 s: ";
    all.push_back({variant, "worker_restarted_s", lease + "worker killed and restarted", "s"});
    all.push_back({variant, "worker_host_lost_s", lease + "worker's host lost", "s"});
    all.push_back({variant, "broker_answers_s", lease + "broker restarted, answers", "s"});
    all.push_back({variant, "broker_dispatches_s", lease + "broker restarted, dispatches", "s"});
    all.push_back({variant, "broker_host_back_s", lease + "broker's host back", "s"});
  }
  return all;
}

}  // namespace

Benchmark recovery_benchmark() {
  return {"recovery", "From the failure until the work goes on", figures(), round, true};
}

}  // namespace pipekit::bench
