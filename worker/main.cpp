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
#include "shared/say.h"
#include "shared/startup.h"
#include "worker/child_environment.h"
#include "worker/jrunner_program.h"
#include "worker/secrets.h"
#include "worker/state_dir.h"
#include "worker/worker.h"

namespace pipekit::worker {
namespace {

struct Options {
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
  std::string config;
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

Result<Secrets> secrets_in(const Options& options) {
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
Result<RunnerConfig> runner_in(const Options& options) {
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
  const auto program = find_jrunner(options.jrunner, runner.environment);
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

Result<WorkerConfig> resolve(const Options& options) {
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
  config.broker = options.broker;
  if (config.broker.empty() && options.data_dir.empty()) config.broker = kDefaultWorkerEndpoint;
  if (config.broker.empty()) {
    const auto endpoint = worker_endpoint_in(options.data_dir);
    if (!endpoint) return endpoint.error();
    config.broker = *endpoint;
  }
  if (auto checked = check_endpoint(config.broker); !checked) return checked.error();
  auto keys = client_keys(config.broker, options.key_file, options.broker_key);
  if (!keys) return keys.error();
  config.keys = std::move(*keys);
  auto runner = runner_in(options);
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

std::filesystem::path state_dir_of(const Options& options) {
  if (!options.state_dir.empty()) return options.state_dir;
  const std::filesystem::path base = options.data_dir.empty() ? "/var/lib/pipekit" : options.data_dir;
  return base / "workers" / options.name;
}

int serve(const Options& options) {
  auto config = resolve(options);
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
  CLI::App app{"A worker of Pipekit: runs modules by invoking jrunner and streams its output to the broker.",
               "pipekit-worker"};
  app.set_version_flag("--version", std::string("pipekit-worker ") + PIPEKIT_VERSION);
  Options options;
  FileKeys keys;
  const auto add = [&](const char* key, const char* flag, auto& into, const char* variable, const char* about) {
    keys.emplace_back(key, app.add_option(flag, into, about)->envname(variable));
    return keys.back().second;
  };
  add("name", "--name", options.name, "PIPEKIT_NAME", "unique among the broker's workers");
  add("slots", "--slots", options.slots, "PIPEKIT_SLOTS", "runs at the same time (4)");
  add("tags", "--tag", options.tags, "PIPEKIT_TAG", "a label that connections may require; repeatable")->take_all();
  add("drivers", "--driver", options.drivers, "PIPEKIT_DRIVER",
      "a driver that this runner has, where it lacks others (any); repeatable")
      ->take_all();
  add("broker", "--broker", options.broker, "PIPEKIT_BROKER", "the broker's worker endpoint (tcp://127.0.0.1:7602)");
  add("data_dir", "--data-dir", options.data_dir, "PIPEKIT_DATA_DIR", "of a local broker: its socket is found there");
  add("key_file", "--key-file", options.key_file, "PIPEKIT_KEY_FILE",
      "this worker's key (pipekit-ctl keys new), for a broker on another host");
  add("broker_key", "--broker-key", options.broker_key, "PIPEKIT_BROKER_KEY", "that broker's public key");
  add("state_dir", "--state-dir", options.state_dir, "PIPEKIT_STATE_DIR",
      "lock, identity and scratch files (DATA_DIR/workers/NAME)");
  add("jrunner", "--jrunner", options.jrunner, "PIPEKIT_JRUNNER",
      "the runner (pipekit-jrunner beside this program, then PATH)");
  add("drain_timeout_s", "--drain-timeout", options.drain_timeout_s, "PIPEKIT_DRAIN_TIMEOUT",
      "seconds that running runs get after SIGTERM (no limit)");
  add("kill_grace_s", "--kill-grace", options.kill_grace_s, "PIPEKIT_KILL_GRACE",
      "seconds between SIGTERM and SIGKILL to a cancelled runner (10)");
  add("secrets_file", "--secrets-file", options.secrets_file, "PIPEKIT_SECRETS_FILE",
      "read passwords from this file, NAME=VALUE a line (/etc/pipekit/secrets.env, if there is one)");
  add("secret_env", "--secret-env", options.secret_env, "PIPEKIT_SECRET_ENV",
      "allow connections to use this environment variable as a password; * allows all; repeatable")
      ->take_all();
  add("secret_hosts", "--secret-host", options.secret_hosts, "PIPEKIT_SECRET_HOST",
      "use the secret NAME only for this host and, if given, port; repeatable")
      ->type_name("NAME=HOST[:PORT]")
      ->take_all();
  add("child_env", "--child-env", options.child_env, "PIPEKIT_CHILD_ENV",
      "pass this environment variable on to the runner, or all that begin with PREFIX*; repeatable")
      ->take_all();
  add("url_parameters", "--url-parameter", options.url_parameters, "PIPEKIT_URL_PARAMETER",
      "allow this parameter in JDBC URLs, in addition to those known to be harmless; repeatable")
      ->take_all();
  add("runner_passwords", "--runner-passwords", options.runner_passwords, "PIPEKIT_RUNNER_PASSWORDS",
      "env: pass passwords to the runner in variables (env); argument: on its command line, where all users see them");
  app.add_option("--config", options.config, "YAML file with these options as keys")->envname("PIPEKIT_CONFIG");
  add("log_level", "--log-level", options.log_level, "PIPEKIT_LOG_LEVEL", "trace, debug, info, warning, error, off");
  if (const auto ended = parse_options(app, argc, argv, options.config, keys)) return *ended;
  const auto name = options.name.empty() ? "worker" : options.name;
  if (auto opened = open_log(name, options.log_level); !opened) return report(opened.error());
  forbid_core_files();
  return serve(options);
}

}  // namespace
}  // namespace pipekit::worker

int main(int argc, char** argv) {
  try {
    return pipekit::worker::run(argc, argv);
  } catch (const std::exception& error) {
    pipekit::say(fmt::format("error: {}\n", error.what()));
    std::_Exit(1);  // threads may run: the supervisors end their children
  }
}
