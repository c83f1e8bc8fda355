#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>

#include "broker/loop.h"
#include "broker/store/migrations.h"
#include "broker/store/own_store.h"
#include "shared/endpoint.h"
#include "shared/open_files.h"
#include "shared/ownership.h"
#include "shared/standard_fds.h"
#include "shared/startup.h"

namespace pipekit {
namespace {

struct Settings {
  std::string data_dir;
  std::string control_endpoint;
  std::string worker_endpoint;
  std::string control_group;
  std::string worker_group;
  std::string key_file;
  double lease_s = 60;
  std::string log_level = "info";
};

// Clients on this host need no key: beside an encrypted endpoint there is a socket, in the data directory where one was
// given.
Result<void> add_local(const Settings& settings, BrokerConfig& config) {
  const Given dir{settings.data_dir, Origin::flag};
  const auto control = choose_endpoint(Socket::control, {}, dir);
  if (!control) return control.error();
  const auto workers = choose_endpoint(Socket::worker, {}, dir);
  if (!workers) return workers.error();
  if (!is_ipc(config.control_endpoint)) config.local_control = *control;
  if (!is_ipc(config.worker_endpoint)) config.local_workers = *workers;
  return {};
}

Result<BrokerConfig> resolve(const Settings& settings, const Options& all) {
  const auto dir = all.given("data_dir", settings.data_dir);
  const auto control = choose_endpoint(Socket::control, all.given("control_endpoint", settings.control_endpoint), dir);
  if (!control) return control.error();
  const auto workers = choose_endpoint(Socket::worker, all.given("worker_endpoint", settings.worker_endpoint), dir);
  if (!workers) return workers.error();
  BrokerConfig config;
  if (!settings.key_file.empty()) {
    auto keys = read_key_file(settings.key_file);
    if (!keys) return keys.error();
    config.keys = std::move(*keys);
  }
  for (const auto& endpoint : {*control, *workers}) {
    if (is_ipc(endpoint) || config.keys) continue;
    return Error{
        ErrorCode::kRefused,
        fmt::format("{} is a tcp address: without a key it would admit at least every user of this host", endpoint),
        "give the broker a key: pipekit-ctl keys new FILE, then --key-file FILE; or use an ipc socket"};
  }
  if (settings.lease_s < 0.5 || settings.lease_s > 86'400) {
    return Error{ErrorCode::kUsage, fmt::format("--lease {}: expected 0.5 to 86400 seconds", settings.lease_s)};
  }
  config.lease = Millis{static_cast<int64_t>(settings.lease_s * 1000)};
  config.control_endpoint = *control;
  config.worker_endpoint = *workers;
  config.control_group = settings.control_group;
  config.worker_group = settings.worker_group;
  if (auto added = add_local(settings, config); !added) return added.error();
  return config;
}

// For a broker that no service manager started.
void make_run_dir(const BrokerConfig& config) {
  for (const auto& endpoint :
       {config.control_endpoint, config.worker_endpoint, config.local_control, config.local_workers}) {
    if (is_ipc(endpoint) && std::filesystem::path(socket_path(endpoint)).parent_path() == kRunDir)
      ::mkdir(kRunDir, 0755);
  }
}

Error cannot(std::string_view what, const std::filesystem::path& dir, int error) {
  const bool rights = error == EACCES || error == EPERM || error == EROFS;
  return {rights ? ErrorCode::kRefused : ErrorCode::kUsage,
          fmt::format("cannot {} the data directory {}: {}", what, dir.string(), strerror(error)),
          rights ? "give this user the directory, or name another with --data-dir" : ""};
}

Result<void> make_data_dir(const std::filesystem::path& dir) {
  std::error_code failed;
  // Other users may list the directory; each file and socket in it is accessible to its owner only.
  if (std::filesystem::is_directory(dir, failed)) return check_own_dir(dir, S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH);
  std::filesystem::create_directories(dir.parent_path(), failed);
  if (::mkdir(dir.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return cannot("create", dir, errno);
}

// One broker per store: two would assign the same epochs.
Result<UniqueFd> lock_store(const std::filesystem::path& dir) {
  const auto file = dir / "broker.lock";
  if (auto safe = check_private_file(file); !safe) return safe.error();
  UniqueFd fd(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600));
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
  const auto file = dir / "pipekit.db";
  for (const auto* suffix : {"", "-wal", "-shm"}) {
    if (auto safe = check_private_file(file.string() + suffix); !safe) return report(safe.error());
  }
  const auto lock = lock_store(dir);
  if (!lock) return report(lock.error());
  if (auto own = store::check_own_store(file); !own) return report(own.error());
  store::Database db(file, store::Database::Mode::read_write);
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
  Settings settings;
  Options all(app);
  all.add_path("data_dir", "--data-dir", settings.data_dir,
               "the store and the sockets are here; created when absent (/var/lib/pipekit, sockets in /run/pipekit)");
  all.add("control_endpoint", "--control-endpoint", settings.control_endpoint,
          "for pipekit-ctl (ipc:///run/pipekit/control.sock)");
  all.add("worker_endpoint", "--worker-endpoint", settings.worker_endpoint,
          "for workers (ipc:///run/pipekit/worker.sock)");
  all.add("control_group", "--control-group", settings.control_group,
          "a group whose members may use the local control socket, too (only the broker's user)");
  all.add("worker_group", "--worker-group", settings.worker_group,
          "a group whose members may use the local worker socket, too (only the broker's user)");
  all.add_path("key_file", "--key-file", settings.key_file,
               "this broker's key (pipekit-ctl keys new): tcp endpoints are encrypted and require keys");
  all.add("lease_s", "--lease", settings.lease_s, "seconds that a silent worker keeps its runs (60)");
  all.add("log_level", "--log-level", settings.log_level, "trace, debug, info, warning, error, off");
  if (const auto ended = all.parse(argc, argv)) return *ended;
  if (auto opened = open_log("broker", settings.log_level); !opened) return report(opened.error());
  const auto config = resolve(settings, all);
  if (!config) return report(config.error());
  make_run_dir(*config);
  ::umask(S_IRWXG | S_IRWXO);  // sockets too: whoever can connect to one has every right
  raise_open_files();
  return serve(settings.data_dir.empty() ? "/var/lib/pipekit" : settings.data_dir, *config);
}

}  // namespace
}  // namespace pipekit

int main(int argc, char** argv) {
  pipekit::open_standard_fds();
  try {
    return pipekit::run(argc, argv);
  } catch (const pipekit::RefusedError& refused) {
    return pipekit::report(refused.error());
  } catch (const pipekit::EndpointError& refused) {
    return pipekit::report(
        {pipekit::ErrorCode::kUsage, refused.what(), "stop what listens there, or choose another endpoint"});
    // Faults: without the store or the sockets the broker cannot keep its promises. The service manager restarts it.
  } catch (const pipekit::store::StoreError& fault) {
    return pipekit::report({pipekit::ErrorCode::kUnexpected, fault.what(), fault.hint()});
  } catch (const std::exception& fault) {
    return pipekit::report({pipekit::ErrorCode::kUnexpected, fault.what()});
  }
}
