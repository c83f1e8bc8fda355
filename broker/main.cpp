#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>

#include "broker/loop.h"
#include "broker/store/migrations.h"
#include "shared/endpoint.h"
#include "shared/open_files.h"
#include "shared/startup.h"

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

Result<BrokerConfig> resolve(Options& options) {
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

Error cannot(std::string_view what, const std::filesystem::path& dir, int error) {
  const bool rights = error == EACCES || error == EPERM || error == EROFS;
  return {rights ? ErrorCode::kRefused : ErrorCode::kUsage,
          fmt::format("cannot {} the data directory {}: {}", what, dir.string(), strerror(error)),
          rights ? "give this user the directory, or name another with --data-dir" : ""};
}

Result<void> make_data_dir(const std::filesystem::path& dir) {
  std::error_code failed;
  if (std::filesystem::is_directory(dir, failed)) return {};
  std::filesystem::create_directories(dir.parent_path(), failed);
  if (::mkdir(dir.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return cannot("create", dir, errno);
}

// One broker per store: two would hand out the same epochs.
Result<UniqueFd> lock_store(const std::filesystem::path& dir) {
  const auto file = dir / "broker.lock";
  UniqueFd fd(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return cannot("write in", dir, errno);
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
  CLI::App app{"The broker of Pipekit: owns the definitions, locks, queue, run log and event log, and dispatches runs.",
               "pipekit-broker"};
  app.set_version_flag("--version", std::string("pipekit-broker ") + PIPEKIT_VERSION);
  Options options;
  FileKeys keys;
  const auto add = [&](const char* key, const char* flag, auto& into, const char* variable, const char* about) {
    keys.emplace_back(key, app.add_option(flag, into, about)->envname(variable));
  };
  add("data_dir", "--data-dir", options.data_dir, "PIPEKIT_DATA_DIR",
      "store and sockets stand here; created when absent");
  app.add_option("--config", options.config, "YAML file with these options as keys")->envname("PIPEKIT_CONFIG");
  add("control_endpoint", "--control-endpoint", options.control_endpoint, "PIPEKIT_CONTROL_ENDPOINT",
      "for pipekit-ctl (tcp://127.0.0.1:7601)");
  add("worker_endpoint", "--worker-endpoint", options.worker_endpoint, "PIPEKIT_WORKER_ENDPOINT",
      "for workers (tcp://127.0.0.1:7602)");
  add("lease_s", "--lease", options.lease_s, "PIPEKIT_LEASE", "seconds that a silent worker keeps its runs (60)");
  add("log_level", "--log-level", options.log_level, "PIPEKIT_LOG_LEVEL", "trace, debug, info, warning, error, off");
  if (const auto ended = parse_options(app, argc, argv, options.config, keys)) return *ended;
  if (auto opened = open_log("broker", options.log_level); !opened) return report(opened.error());
  const auto config = resolve(options);
  if (!config) return report(config.error());
  raise_open_files();
  return serve(options.data_dir, *config);
}

}  // namespace
}  // namespace pipekit

int main(int argc, char** argv) {
  try {
    return pipekit::run(argc, argv);
    // Faults: without the store or the sockets nothing may be promised. The service manager restarts into recovery.
  } catch (const pipekit::store::StoreError& fault) {
    return pipekit::report({pipekit::ErrorCode::kUnexpected, fault.what(), fault.hint()});
  } catch (const std::exception& fault) {
    return pipekit::report({pipekit::ErrorCode::kUnexpected, fault.what()});
  }
}
