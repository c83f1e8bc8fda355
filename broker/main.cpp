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
  std::string key_file;
  double lease_s = 60;
  std::string log_level = "info";
};

// Those on this host need no key: an encrypted endpoint has its socket in the data directory beside it.
Result<void> add_local(const std::string& data_dir, BrokerConfig& config) {
  if (!config.keys) return {};
  const auto control = control_endpoint_in(data_dir);
  if (!control) return control.error();
  const auto workers = worker_endpoint_in(data_dir);
  if (!workers) return workers.error();
  if (config.control_endpoint.starts_with("tcp://")) config.local_control = *control;
  if (config.worker_endpoint.starts_with("tcp://")) config.local_workers = *workers;
  return {};
}

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
  BrokerConfig config;
  if (!options.key_file.empty()) {
    auto keys = read_key_file(options.key_file);
    if (!keys) return keys.error();
    config.keys = std::move(*keys);
  }
  for (const auto& endpoint : {*control, *workers}) {
    if (auto checked = check_endpoint(endpoint); !checked) return checked.error();
    if (is_local(endpoint) || config.keys) continue;
    return Error{ErrorCode::kRefused,
                 fmt::format("{} can be reached from other hosts and would let anybody in", endpoint),
                 "give the broker a key: pipekit-ctl keys new FILE, then --key-file FILE; or bind a loopback address"};
  }
  if (options.lease_s < 0.5 || options.lease_s > 86'400) {
    return Error{ErrorCode::kUsage, fmt::format("--lease {}: expected 0.5 to 86400 seconds", options.lease_s)};
  }
  config.lease = Millis{static_cast<int64_t>(options.lease_s * 1000)};
  config.control_endpoint = *control;
  config.worker_endpoint = *workers;
  if (auto added = add_local(options.data_dir, config); !added) return added.error();
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
  // Others may look, as into most directories: each file and socket in it is its owner's alone.
  if (std::filesystem::is_directory(dir, failed)) return check_mode(dir, S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH);
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
  if (auto tight = check_mode(dir / "pipekit.db"); !tight) return report(tight.error());
  const auto lock = lock_store(dir);
  if (!lock) return report(lock.error());
  store::Database db(dir / "pipekit.db", store::Database::Mode::read_write);
  if (auto migrated = store::migrate(db); !migrated) return report(migrated.error());
  BrokerLoop loop(db, config, signals);
  if (config.keys) spdlog::info("this broker's public key is {}", config.keys->public_key);
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
  add("key_file", "--key-file", options.key_file, "PIPEKIT_KEY_FILE",
      "this broker's key (pipekit-ctl keys new): tcp endpoints are encrypted and ask for keys");
  add("lease_s", "--lease", options.lease_s, "PIPEKIT_LEASE", "seconds that a silent worker keeps its runs (60)");
  add("log_level", "--log-level", options.log_level, "PIPEKIT_LOG_LEVEL", "trace, debug, info, warning, error, off");
  if (const auto ended = parse_options(app, argc, argv, options.config, keys)) return *ended;
  if (auto opened = open_log("broker", options.log_level); !opened) return report(opened.error());
  const auto config = resolve(options);
  if (!config) return report(config.error());
  ::umask(S_IRWXG | S_IRWXO);  // sockets too: who can connect to one has every right
  raise_open_files();
  return serve(options.data_dir, *config);
}

}  // namespace
}  // namespace pipekit

int main(int argc, char** argv) {
  try {
    return pipekit::run(argc, argv);
  } catch (const pipekit::EndpointError& refused) {
    return pipekit::report(
        {pipekit::ErrorCode::kUsage, refused.what(), "stop what listens there, or choose another endpoint"});
    // Faults: without the store or the sockets nothing may be promised. The service manager restarts into recovery.
  } catch (const pipekit::store::StoreError& fault) {
    return pipekit::report({pipekit::ErrorCode::kUnexpected, fault.what(), fault.hint()});
  } catch (const std::exception& fault) {
    return pipekit::report({pipekit::ErrorCode::kUnexpected, fault.what()});
  }
}
