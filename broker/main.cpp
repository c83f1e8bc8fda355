#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>

#include "broker/loop.h"
#include "broker/store/migrations.h"
#include "shared/config.h"
#include "shared/endpoint.h"

namespace pipekit {
namespace {

struct Options {
  std::string data_dir;
  std::string config;
  std::string control_endpoint;
  std::string worker_endpoint;
  double lease_s = 60;
  std::string log_level = "info";
};

int report(const Error& error) {
  fmt::print(stderr, "error: {}\n", error.message);
  if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", error.hint);
  return exit_code(error.code);
}

Result<void> add_config(Options& options, const CLI::App& app) {
  if (options.config.empty()) return {};
  const auto values =
      read_config(options.config, {"data_dir", "control_endpoint", "worker_endpoint", "lease_s", "log_level"});
  if (!values) return values.error();
  Result<void> wrong;
  const auto take = [&](const char* key, const char* flag, auto& into) {
    const auto found = values->find(key);
    if (found == values->end() || app.count(flag) > 0 || found->second.empty()) return;
    if (CLI::detail::lexical_cast(found->second.front(), into)) return;
    wrong = Error{ErrorCode::kUsage,
                  fmt::format("{}: {}: \"{}\" is not a number", options.config, key, found->second.front())};
  };
  take("data_dir", "--data-dir", options.data_dir);
  take("control_endpoint", "--control-endpoint", options.control_endpoint);
  take("worker_endpoint", "--worker-endpoint", options.worker_endpoint);
  take("lease_s", "--lease", options.lease_s);
  take("log_level", "--log-level", options.log_level);
  return wrong;
}

Result<BrokerConfig> resolve(Options& options) {
  constexpr auto kLevels = std::to_array<std::string_view>({"trace", "debug", "info", "warning", "error", "off"});
  if (std::ranges::find(kLevels, options.log_level) == kLevels.end()) {
    return Error{ErrorCode::kUsage, fmt::format("--log-level {}: there is no such level", options.log_level),
                 fmt::format("one of {}", fmt::join(kLevels, ", "))};
  }
  if (options.data_dir.empty()) {
    if (options.control_endpoint.empty()) options.control_endpoint = kDefaultControlEndpoint;
    if (options.worker_endpoint.empty()) options.worker_endpoint = kDefaultWorkerEndpoint;
    options.data_dir = "/var/lib/pipekit";
  }
  const auto control = options.control_endpoint.empty() ? control_endpoint_in(options.data_dir)
                                                        : Result<std::string>(options.control_endpoint);
  if (!control) return control.error();
  const auto workers = options.worker_endpoint.empty() ? worker_endpoint_in(options.data_dir)
                                                       : Result<std::string>(options.worker_endpoint);
  if (!workers) return workers.error();
  for (const auto& endpoint : {*control, *workers}) {
    if (is_local(endpoint)) continue;
    return Error{ErrorCode::kRefused,
                 fmt::format("{} can be reached from other hosts and would let anybody in", endpoint),
                 "bind a loopback address or an ipc socket, and reach it through an encrypted tunnel"};
  }
  if (options.lease_s < 0.5 || options.lease_s > 86'400) {
    return Error{ErrorCode::kUsage, fmt::format("--lease {}: expected 0.5 to 86400 seconds", options.lease_s)};
  }
  BrokerConfig config;
  config.lease = Millis{static_cast<int64_t>(options.lease_s * 1000)};
  config.control_endpoint = *control;
  config.worker_endpoint = *workers;
  return config;
}

Result<void> make_data_dir(const std::filesystem::path& dir) {
  std::error_code failed;
  if (std::filesystem::is_directory(dir, failed)) return {};
  std::filesystem::create_directories(dir.parent_path(), failed);
  if (::mkdir(dir.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return Error{ErrorCode::kUsage,
               fmt::format("cannot create the data directory {}: {}", dir.string(), strerror(errno))};
}

// One broker per store: two would hand out the same epochs.
Result<UniqueFd> lock_store(const std::filesystem::path& dir) {
  const auto file = dir / "broker.lock";
  UniqueFd fd(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) {
    return Error{ErrorCode::kUsage,
                 fmt::format("cannot write in the data directory {}: {}", dir.string(), strerror(errno))};
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return Error{ErrorCode::kUnavailable, fmt::format("another broker has the store {}", (dir / "pipekit.db").string()),
                 "stop that one first, or choose another --data-dir"};
  }
  return fd;
}

int serve(const std::filesystem::path& dir, const BrokerConfig& config) {
  SignalFd signals;
  if (auto made = make_data_dir(dir); !made) return report(made.error());
  const auto lock = lock_store(dir);
  if (!lock) return report(lock.error());
  store::Database db(dir / "pipekit.db", store::Database::Mode::read_write);
  if (auto migrated = store::migrate(db); !migrated) return report(migrated.error());
  BrokerLoop loop(db, config, signals);
  spdlog::info("pipekit-broker {} serves {}: control {}, workers {}", PIPEKIT_VERSION, db.file().string(),
               config.control_endpoint, config.worker_endpoint);
  loop.run();
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app{
      "The broker of Pipekit: owns the definitions, locks, queue, run log and event log, and dispatches runs."};
  app.set_version_flag("--version", std::string("pipekit-broker ") + PIPEKIT_VERSION);
  Options options;
  app.add_option("--data-dir", options.data_dir, "store and sockets stand here; created when absent")
      ->envname("PIPEKIT_DATA_DIR");
  app.add_option("--config", options.config, "YAML file with these options as keys")->envname("PIPEKIT_CONFIG");
  app.add_option("--control-endpoint", options.control_endpoint, "for pipekit-ctl (tcp://127.0.0.1:7601)")
      ->envname("PIPEKIT_CONTROL_ENDPOINT");
  app.add_option("--worker-endpoint", options.worker_endpoint, "for workers (tcp://127.0.0.1:7602)")
      ->envname("PIPEKIT_WORKER_ENDPOINT");
  app.add_option("--lease", options.lease_s, "seconds that a silent worker keeps its runs (60)")
      ->envname("PIPEKIT_LEASE");
  app.add_option("--log-level", options.log_level, "trace, debug, info, warning, error, off")
      ->envname("PIPEKIT_LOG_LEVEL");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    return report({ErrorCode::kUsage, error.what(), "pipekit-broker --help lists the options"});
  }
  if (auto added = add_config(options, app); !added) return report(added.error());
  spdlog::set_default_logger(spdlog::stderr_logger_mt("broker"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %n: %v");
  auto config = resolve(options);
  if (!config) return report(config.error());
  spdlog::set_level(spdlog::level::from_str(options.log_level));
  return serve(options.data_dir, *config);
}

}  // namespace
}  // namespace pipekit

int main(int argc, char** argv) {
  try {
    return pipekit::run(argc, argv);
  } catch (const std::exception& error) {
    // A fault: without the store or the sockets nothing may be promised. The service manager restarts into recovery.
    fmt::print(stderr, "error: {}\n", error.what());
    return 1;
  }
}
