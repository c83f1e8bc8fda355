#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <random>

#include "shared/client_keys.h"
#include "shared/endpoint.h"
#include "shared/open_files.h"
#include "shared/path.h"
#include "shared/say.h"
#include "shared/standard_fds.h"
#include "shared/startup.h"
#include "worker/jrunner_program.h"
#include "worker/state_dir.h"
#include "worker/worker.h"

namespace pipekit::worker {
namespace {

struct Settings {
  std::string name;
  int64_t slots = 4;
  std::vector<std::string> tags;
  std::vector<std::string> drivers;
  std::string broker;
  std::string data_dir;
  std::string state_dir;
  std::string jrunner;
  double drain_timeout_s = -1;
  double kill_grace_s = 10;
  std::string key_file;
  std::string broker_key;
  std::string broker_user;
  std::string log_level = "info";
};

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string random_id() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

Result<WorkerConfig> resolve(const Settings& options, const Options& all) {
  if (options.name.empty()) {
    return Error{ErrorCode::kUsage, "a worker needs a name", "pipekit-worker --name NAME, unique among the workers"};
  }
  if (options.name == "." || options.name == ".." || options.name.find('/') != std::string::npos) {
    return Error{ErrorCode::kUsage,
                 fmt::format("--name {}: a worker's name is the name of its directory, too", options.name),
                 "leave out the slashes"};
  }
  if (options.slots < 1 || options.slots > 1000) {
    return Error{ErrorCode::kUsage, fmt::format("--slots {}: expected 1 to 1000", options.slots)};
  }
  WorkerConfig config;
  const auto endpoint =
      choose_endpoint(Socket::worker, all.given("broker", options.broker), all.given("data_dir", options.data_dir));
  if (!endpoint) return endpoint.error();
  config.broker = *endpoint;
  auto keys = client_keys(config.broker, {options.key_file, options.broker_key, options.broker_user});
  if (!keys) return keys.error();
  config.keys = std::move(*keys);
  auto runner = options.jrunner;
  if (runner.find('/') != std::string::npos) {  // else a name to be found in PATH
    const auto path = full_path(all.given("jrunner", runner));
    if (!path) return path.error();
    runner = *path;
  }
  const auto program = find_jrunner(runner);
  if (!program) return program.error();
  config.runner.program = program->path;
  config.runner.bundled = program->bundled;
  config.runner.kill_grace = Millis{static_cast<int64_t>(options.kill_grace_s * 1000)};
  config.identity.name = options.name;
  config.identity.incarnation = random_id();
  config.identity.host = host_name();
  config.identity.slots = options.slots;
  config.identity.tags = options.tags;
  config.identity.drivers = options.drivers;
  if (options.drain_timeout_s >= 0) {
    config.drain_timeout = std::chrono::seconds{static_cast<int64_t>(options.drain_timeout_s)};
  }
  return config;
}

std::filesystem::path state_dir_of(const Settings& options) {
  if (!options.state_dir.empty()) return options.state_dir;
  if (options.data_dir.empty()) return std::filesystem::path("/var/lib/pipekit-worker") / options.name;
  return std::filesystem::path(options.data_dir) / "workers" / options.name;
}

int serve(const Settings& options, const Options& all) {
  auto config = resolve(options, all);
  if (!config) return report(config.error());
  std::error_code ignored;
  const auto dir = state_dir_of(options);
  std::filesystem::create_directories(dir.parent_path(), ignored);
  const auto state = StateDir::open(dir, Millis{15'000}, [](const std::string& text) { spdlog::info(text); });
  if (!state) return report(state.error());
  SignalFd signals;
  config->identity.state_id = state->id();
  config->runner.scratch = state->scratch();
  config->runner.lock_fd = state->lock_fd();
  config->runner.open_files = raise_open_files();
  spdlog::info("pipekit-worker {} {}: {} slots, broker {}, runner {}", PIPEKIT_VERSION, options.name, options.slots,
               config->broker, config->runner.program);
  return Worker(std::move(*config), *state, signals).run();
}

int run(int argc, char** argv) {
  CLI::App app{"A worker of Pipekit: runs modules by invoking jrunner and streams its output to the broker.",
               "pipekit-worker"};
  app.set_version_flag("--version", std::string("pipekit-worker ") + PIPEKIT_VERSION);
  Settings options;
  Options all(app);
  all.add("name", "--name", options.name, "unique among the broker's workers");
  all.add("slots", "--slots", options.slots, "concurrent runs (4)");
  all.add("tags", "--tag", options.tags, "a label that connections may require; repeatable");
  all.add("drivers", "--driver", options.drivers,
          "a driver that this runner has, where it lacks others (any); repeatable");
  all.add("broker", "--broker", options.broker, "the broker's worker endpoint (ipc:///run/pipekit/worker.sock)");
  all.add_path("data_dir", "--data-dir", options.data_dir, "of a local broker: its socket is found there");
  all.add("broker_user", "--broker-user", options.broker_user,
          "the user that the local broker runs as, who owns its socket's directory (pipekit-broker)");
  all.add_path("key_file", "--key-file", options.key_file,
               "this worker's key (pipekit-ctl keys new), for a broker on another host");
  all.add("broker_key", "--broker-key", options.broker_key, "that broker's public key");
  all.add_path("state_dir", "--state-dir", options.state_dir,
               "lock, identity and scratch files (DATA_DIR/workers/NAME)");
  all.add("jrunner", "--jrunner", options.jrunner, "the runner (pipekit-jrunner beside this program, then PATH)");
  all.add("drain_timeout_s", "--drain-timeout", options.drain_timeout_s,
          "seconds that running runs get after SIGTERM (no limit)");
  all.add("kill_grace_s", "--kill-grace", options.kill_grace_s,
          "seconds between SIGTERM and SIGKILL to a cancelled runner (10)");
  all.add("log_level", "--log-level", options.log_level, "trace, debug, info, warning, error, off");
  if (const auto ended = all.parse(argc, argv)) return *ended;
  const auto name = options.name.empty() ? "worker" : options.name;
  if (auto opened = open_log(name, options.log_level); !opened) return report(opened.error());
  return serve(options, all);
}

}  // namespace
}  // namespace pipekit::worker

int main(int argc, char** argv) {
  pipekit::open_standard_fds();
  try {
    return pipekit::worker::run(argc, argv);
  } catch (const std::exception& error) {
    pipekit::say(fmt::format("error: {}\n", error.what()));
    std::_Exit(1);  // threads may run: the supervisors end their children
  }
}
