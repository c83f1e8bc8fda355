#include "tests/support/local_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>

namespace pipekit::test {
namespace {

std::vector<std::string> environment_of(const std::string& failpoint) {
  return {failpoint.empty() ? "PIPEKIT_FAILPOINT" : "PIPEKIT_FAILPOINT=" + failpoint};
}

}  // namespace

LocalSystem::LocalSystem(BrokerOptions options) : options_(std::move(options)) {
  data_dir_ = options_.data_dir.empty() ? dir_.file("d") : options_.data_dir.string();
  client_ = std::make_unique<TestClient>(control_endpoint());
  events_ = std::make_unique<EventLog>(control_endpoint());
  start_broker();
}

LocalSystem::~LocalSystem() {
  for (auto& worker : workers_) worker.program.reset();
  broker_.reset();
}

void LocalSystem::start_broker() { start_broker(options_); }

void LocalSystem::start_broker(const BrokerOptions& options) {
  broker_.reset();
  ProgramOptions program;
  program.env = environment_of(options.failpoint);
  program.env.insert(program.env.end(), options.env.begin(), options.env.end());
  program.within = options.within;
  std::vector<std::string> args = {"--data-dir", data_dir_, "--lease", fmt::format("{}", options.lease_s)};
  args.insert(args.end(), options.args.begin(), options.args.end());
  broker_ = std::make_unique<RunningProgram>(options.program, args, program);
  broker_->wait_for_err(" serves ");
  client_->reconnect();
  events_->reconnect();
}

void LocalSystem::kill_broker() {
  broker_->signal(SIGKILL);
  broker_->wait();
}

int LocalSystem::broker_end() { return broker_->wait().exit_code; }

RunningProgram& LocalSystem::start_worker(const std::string& name, const WorkerOptions& options) {
  const auto before = options.wait_joined ? events_->catch_up() : 0;
  std::erase_if(workers_, [&](const auto& worker) { return worker.name == name; });
  std::vector<std::string> args = {"--name",       name,
                                   "--data-dir",   data_dir_,
                                   "--slots",      std::to_string(options.slots),
                                   "--kill-grace", fmt::format("{}", options.kill_grace_s)};
  if (!options.jrunner.empty()) args.insert(args.end(), {"--jrunner", options.jrunner});
  if (!options.state_dir.empty()) args.insert(args.end(), {"--state-dir", options.state_dir});
  for (const auto& name_of_secret : options.secret_env) args.insert(args.end(), {"--secret-env", name_of_secret});
  for (const auto& entry : options.env) {
    const auto variable = entry.substr(0, entry.find('='));
    const bool secret = variable.find("PASSWORD") != std::string::npos || variable.find("SECRET") != std::string::npos;
    if (!secret) args.insert(args.end(), {"--child-env", variable});
  }
  args.insert(args.end(), options.args.begin(), options.args.end());
  ProgramOptions program;
  program.env = environment_of(options.failpoint);
  program.env.insert(program.env.end(), options.env.begin(), options.env.end());
  program.within = options.within;
  workers_.push_back({name, std::make_unique<RunningProgram>(options.program, args, program)});
  if (options.wait_joined) {
    events_->wait_for(
        "worker.joined of " + name,
        [&](const LoggedEvent& event) { return event.kind == "worker.joined" && event.worker == name; }, before);
  }
  return *workers_.back().program;
}

RunningProgram& LocalSystem::worker(const std::string& name) {
  const auto found = std::ranges::find(workers_, name, &NamedWorker::name);
  if (found == workers_.end()) throw std::runtime_error("no worker " + name + " was started");
  return *found->program;
}

void LocalSystem::kill_worker(const std::string& name) {
  worker(name).signal(SIGKILL);
  worker_end(name);
}

// The supervisors hold the worker's stderr, so its EOF shows that they have exited too.
int LocalSystem::worker_end(const std::string& name) {
  try {
    return worker(name).wait().exit_code;
  } catch (const std::exception& error) {
    events_->catch_up();
    throw std::runtime_error(error.what() + events_->last_words());
  }
}

void LocalSystem::apply(const Json& document) { client_->ask("apply", {{"document", document}}); }

Json LocalSystem::finished(int64_t run) {
  events_->wait_for_finish(run);
  return client_->ask("runs.show", {{"id", run}});
}

std::string LocalSystem::write_script(const std::string& name, const std::string& text) const {
  auto path = dir_.write(name, text);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  return path;
}

}  // namespace pipekit::test
