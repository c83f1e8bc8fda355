#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <random>

#include "shared/config.h"
#include "shared/endpoint.h"
#include "worker/jrunner_program.h"
#include "worker/state_dir.h"
#include "worker/worker.h"

namespace pipekit::worker {
namespace {

struct Options {
  std::string name;
  int64_t slots = 4;
  std::vector<std::string> tags;
  std::string broker;
  std::string data_dir;
  std::string state_dir;
  std::string jrunner;
  double drain_timeout_s = -1;
  double kill_grace_s = 10;
  std::string config;
  std::string log_level = "info";
};

int report(const Error& error) {
  fmt::print(stderr, "error: {}\n", error.message);
  if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", error.hint);
  return exit_code(error.code);
}

Result<void> add_config(Options& options, const CLI::App& app) {
  if (options.config.empty()) return {};
  const auto values = read_config(options.config, {"name", "slots", "tags", "broker", "data_dir", "state_dir",
                                                   "jrunner", "drain_timeout_s", "kill_grace_s", "log_level"});
  if (!values) return values.error();
  Result<void> wrong;
  const auto take = [&](const char* key, const char* flag, auto& into) {
    const auto found = values->find(key);
    if (found == values->end() || app.count(flag) > 0) return;
    if constexpr (std::is_same_v<std::decay_t<decltype(into)>, std::vector<std::string>>) {
      into = found->second;
    } else if (!found->second.empty()) {
      if (CLI::detail::lexical_cast(found->second.front(), into)) return;
      wrong = Error{ErrorCode::kUsage,
                    fmt::format("{}: {}: \"{}\" is not a number", options.config, key, found->second.front())};
    }
  };
  take("name", "--name", options.name);
  take("slots", "--slots", options.slots);
  take("tags", "--tag", options.tags);
  take("broker", "--broker", options.broker);
  take("data_dir", "--data-dir", options.data_dir);
  take("state_dir", "--state-dir", options.state_dir);
  take("jrunner", "--jrunner", options.jrunner);
  take("drain_timeout_s", "--drain-timeout", options.drain_timeout_s);
  take("kill_grace_s", "--kill-grace", options.kill_grace_s);
  take("log_level", "--log-level", options.log_level);
  return wrong;
}

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string random_id() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

Result<WorkerConfig> resolve(const Options& options) {
  if (options.name.empty()) {
    return Error{ErrorCode::kUsage, "a worker needs a name", "pipekit-worker --name NAME, unique among the workers"};
  }
  constexpr auto kLevels = std::to_array<std::string_view>({"trace", "debug", "info", "warning", "error", "off"});
  if (std::ranges::find(kLevels, options.log_level) == kLevels.end()) {
    return Error{ErrorCode::kUsage, fmt::format("--log-level {}: there is no such level", options.log_level),
                 fmt::format("one of {}", fmt::join(kLevels, ", "))};
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
  config.broker = options.broker;
  if (config.broker.empty() && options.data_dir.empty()) config.broker = kDefaultWorkerEndpoint;
  if (config.broker.empty()) {
    const auto endpoint = worker_endpoint_in(options.data_dir);
    if (!endpoint) return endpoint.error();
    config.broker = *endpoint;
  }
  const auto program = find_jrunner(options.jrunner);
  if (!program) return program.error();
  config.runner.program = program->path;
  config.runner.bundled = program->bundled;
  config.runner.kill_grace = Millis{static_cast<int64_t>(options.kill_grace_s * 1000)};
  config.identity.name = options.name;
  config.identity.incarnation = random_id();
  config.identity.host = host_name();
  config.identity.slots = options.slots;
  config.identity.tags = options.tags;
  if (options.drain_timeout_s >= 0) {
    config.drain_timeout = std::chrono::seconds{static_cast<int64_t>(options.drain_timeout_s)};
  }
  return config;
}

std::filesystem::path state_dir_of(const Options& options) {
  if (!options.state_dir.empty()) return options.state_dir;
  const std::filesystem::path base = options.data_dir.empty() ? "/var/lib/pipekit" : options.data_dir;
  return base / "workers" / options.name;
}

int serve(const Options& options) {
  auto config = resolve(options);
  if (!config) return report(config.error());
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  std::error_code ignored;
  const auto dir = state_dir_of(options);
  std::filesystem::create_directories(dir.parent_path(), ignored);
  const auto state = StateDir::open(dir, Millis{15'000}, [](const std::string& text) { spdlog::info(text); });
  if (!state) return report(state.error());
  SignalFd signals;
  config->identity.state_id = state->id();
  config->runner.scratch = state->scratch();
  config->runner.lock_fd = state->lock_fd();
  spdlog::info("pipekit-worker {} {}: {} slots, broker {}, runner {}", PIPEKIT_VERSION, options.name, options.slots,
               config->broker, config->runner.program);
  return Worker(std::move(*config), signals).run();
}

int run(int argc, char** argv) {
  CLI::App app{"A worker of Pipekit: runs modules by invoking jrunner and streams its output to the broker."};
  app.set_version_flag("--version", std::string("pipekit-worker ") + PIPEKIT_VERSION);
  Options options;
  app.add_option("--name", options.name, "unique among the broker's workers")->envname("PIPEKIT_NAME");
  app.add_option("--slots", options.slots, "runs at the same time (4)")->envname("PIPEKIT_SLOTS");
  app.add_option("--tag", options.tags, "a label that connections may require; repeatable")
      ->envname("PIPEKIT_TAG")
      ->take_all();
  app.add_option("--broker", options.broker, "the broker's worker endpoint (tcp://127.0.0.1:7602)")
      ->envname("PIPEKIT_BROKER");
  app.add_option("--data-dir", options.data_dir, "of a local broker: its socket is found there")
      ->envname("PIPEKIT_DATA_DIR");
  app.add_option("--state-dir", options.state_dir, "lock, identity and scratch files (DATA_DIR/workers/NAME)")
      ->envname("PIPEKIT_STATE_DIR");
  app.add_option("--jrunner", options.jrunner, "the runner (pipekit-jrunner beside this program, then PATH)")
      ->envname("PIPEKIT_JRUNNER");
  app.add_option("--drain-timeout", options.drain_timeout_s, "seconds that running runs get after SIGTERM (no limit)")
      ->envname("PIPEKIT_DRAIN_TIMEOUT");
  app.add_option("--kill-grace", options.kill_grace_s, "seconds between SIGTERM and SIGKILL to a cancelled runner (10)")
      ->envname("PIPEKIT_KILL_GRACE");
  app.add_option("--config", options.config, "YAML file with these options as keys")->envname("PIPEKIT_CONFIG");
  app.add_option("--log-level", options.log_level, "trace, debug, info, warning, error, off")
      ->envname("PIPEKIT_LOG_LEVEL");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return report({ErrorCode::kUsage, error.what(), "pipekit-worker --help lists the options"});
  }
  if (auto added = add_config(options, app); !added) return report(added.error());
  spdlog::set_default_logger(spdlog::stderr_logger_mt(options.name.empty() ? "worker" : options.name));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %n: %v");
  return serve(options);
}

}  // namespace
}  // namespace pipekit::worker

int main(int argc, char** argv) {
  try {
    return pipekit::worker::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    std::fflush(stderr);
    std::_Exit(1);  // threads may run: the supervisors end their children
  }
}
