#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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
#include "worker/child_environment.h"
#include "worker/jrunner_program.h"
#include "worker/secrets.h"
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
  std::string secrets_file;
  std::vector<std::string> secret_env;
  std::vector<std::string> secret_hosts;
  std::vector<std::string> child_env;
  std::vector<std::string> url_parameters;
  std::string runner_passwords = "env";
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

Result<Secrets> secrets_in(const Settings& options) {
  SecretRules rules;
  rules.variables = options.secret_env;
  rules.hosts = options.secret_hosts;
  const auto file = options.secrets_file.empty() ? default_secrets_file()
                                                 : std::optional<std::filesystem::path>(options.secrets_file);
  if (file) {
    auto values = read_secrets(*file);
    if (!values) return values.error();
    rules.file = std::move(*values);
    rules.origin = file->string();
    spdlog::info("{} secrets in {}", rules.file.size(), rules.origin);
  }
  return Secrets::make(std::move(rules), environment_variable);
}

// What the runner and its environment are.
Result<RunnerConfig> runner_in(const Settings& options, const Options& all) {
  RunnerConfig runner;
  auto environment = child_environment(options.child_env, own_environment());
  if (!environment) return environment.error();
  runner.environment = std::move(*environment);
  auto secrets = secrets_in(options);
  if (!secrets) return secrets.error();
  runner.secrets = std::move(*secrets);
  if (options.runner_passwords != "env" && options.runner_passwords != "argument") {
    return Error{ErrorCode::kUsage,
                 fmt::format("--runner-passwords {}: expected env or argument", options.runner_passwords)};
  }
  auto wanted = options.jrunner;
  if (wanted.find('/') != std::string::npos) {  // else a name to be found in PATH
    const auto path = full_path(all.given("jrunner", wanted));
    if (!path) return path.error();
    wanted = *path;
  }
  const auto program = find_jrunner(wanted, runner.environment);
  if (!program) return program.error();
  runner.program = program->path;
  runner.bundled = program->bundled;
  runner.passwords_as_arguments = options.runner_passwords == "argument";
  runner.url_parameters = options.url_parameters;
  runner.kill_grace = Millis{static_cast<int64_t>(options.kill_grace_s * 1000)};
  return runner;
}

void warn_of_passwords(const RunnerConfig& runner) {
  if (runner.passwords_as_arguments) {
    spdlog::warn("every user of this host can see passwords in the arguments of {} (runner_passwords: argument)",
                 runner.program);
  } else if (!runner.bundled) {
    spdlog::info("{} gets passwords as env:NAME; if it cannot read those, set runner_passwords: argument",
                 runner.program);
  }
}

Result<WorkerConfig> resolve(const Settings& options, const Options& all) {
  if (options.name.empty()) {
    return Error{ErrorCode::kUsage, "a worker needs a name", "pipekit-worker --name NAME, unique among the workers"};
  }
  if (options.name == "." || options.name == ".." || options.name.find('/') != std::string::npos) {
    return Error{ErrorCode::kUsage,
                 fmt::format("--name {}: it is also the name of the worker's directory", options.name),
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
  auto runner = runner_in(options, all);
  if (!runner) return runner.error();
  config.runner = std::move(*runner);
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

// Core files would hold passwords, and other processes of this user could read them from this one's memory.
void forbid_core_files() {
  constexpr rlimit kNone{0, 0};
  ::setrlimit(RLIMIT_CORE, &kNone);
  ::prctl(PR_SET_DUMPABLE, 0);
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
  config->runner.lock_fd = state->children_fd();
  config->runner.open_files = raise_open_files();
  spdlog::info("pipekit-worker {} {}: {} slots, broker {}, runner {}", PIPEKIT_VERSION, options.name, options.slots,
               config->broker, config->runner.program);
  warn_of_passwords(config->runner);
  return Worker(std::move(*config), *state, signals).run();
}

int run(int argc, char** argv) {
  CLI::App app{"Pipekit worker: runs modules with the runner (pipekit-jrunner) and streams its output to the broker.",
               "pipekit-worker"};
  app.set_version_flag("--version", std::string("pipekit-worker ") + PIPEKIT_VERSION);
  Settings options;
  Options all(app);
  all.add("name", "--name", options.name, "name of the worker, unique among the broker's workers");
  all.add("slots", "--slots", options.slots, "concurrent runs (4)");
  all.add("tags", "--tag", options.tags, "a label that connections may require; repeatable");
  all.add("drivers", "--driver", options.drivers,
          "a driver that this worker's runner supports, if it does not support all (any); repeatable");
  all.add("broker", "--broker", options.broker, "the broker's worker endpoint (ipc:///run/pipekit/worker.sock)");
  all.add_path("data_dir", "--data-dir", options.data_dir, "data directory of a local broker, where its socket is");
  all.add("broker_user", "--broker-user", options.broker_user,
          "user that the local broker runs as and that owns its socket's directory (pipekit-broker)");
  all.add_path("key_file", "--key-file", options.key_file,
               "key file of this worker (pipekit-ctl keys new), for a broker on another host");
  all.add("broker_key", "--broker-key", options.broker_key, "public key of that broker");
  all.add_path("state_dir", "--state-dir", options.state_dir,
               "directory for the lock, identity and scratch files (DATA_DIR/workers/NAME)");
  all.add("jrunner", "--jrunner", options.jrunner, "the runner (pipekit-jrunner beside this program, then PATH)");
  all.add("drain_timeout_s", "--drain-timeout", options.drain_timeout_s,
          "how many seconds current runs may continue after SIGTERM (no limit)");
  all.add("kill_grace_s", "--kill-grace", options.kill_grace_s,
          "seconds between SIGTERM and SIGKILL to a cancelled runner (10)");
  all.add_path("secrets_file", "--secrets-file", options.secrets_file,
               "read passwords from this file, NAME=VALUE a line (/etc/pipekit/secrets.env, if there is one)");
  all.add("secret_env", "--secret-env", options.secret_env,
          "allow connections to use this environment variable as a password; * allows all; repeatable");
  all.add("secret_hosts", "--secret-host", options.secret_hosts,
          "use the secret NAME only for this host and, if given, port; repeatable")
      ->type_name("NAME=HOST[:PORT]");
  all.add("child_env", "--child-env", options.child_env,
          "pass this environment variable on to the runner, or all that begin with PREFIX*; repeatable");
  all.add("url_parameters", "--url-parameter", options.url_parameters,
          "allow this parameter in JDBC URLs, in addition to those known to be harmless; repeatable");
  all.add(
      "runner_passwords", "--runner-passwords", options.runner_passwords,
      "env: pass passwords to the runner in variables (env); argument: on its command line, where all users see them");
  all.add("log_level", "--log-level", options.log_level, "trace, debug, info, warning, error or off");
  if (const auto ended = all.parse(argc, argv)) return *ended;
  const auto name = options.name.empty() ? "worker" : options.name;
  if (auto opened = open_log(name, options.log_level); !opened) return report(opened.error());
  forbid_core_files();
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
