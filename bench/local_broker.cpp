#include "bench/local_broker.h"

#include <csignal>

namespace pipekit::bench {

LocalBroker::LocalBroker()
    : control_("ipc://" + dir_.file("d/control.sock")), workers_("ipc://" + dir_.file("d/worker.sock")) {
  process_ = std::make_unique<test::RunningProgram>(test::program_path("pipekit-broker"),
                                                    std::vector<std::string>{"--data-dir", dir_.file("d")});
  process_->wait_for_err(" serves ");
  client_ = std::make_unique<test::TestClient>(control_);
  events_ = std::make_unique<test::EventLog>(control_);
}

std::unique_ptr<test::RunningProgram> LocalBroker::start_worker(const std::string& name, int slots,
                                                                const std::string& jrunner) {
  std::vector<std::string> args{"--name",      name,
                                "--broker",    workers_,
                                "--state-dir", dir_.file("state-" + name),
                                "--slots",     std::to_string(slots)};
  if (!jrunner.empty()) args.insert(args.end(), {"--jrunner", jrunner});
  const auto before = events_->catch_up();
  auto worker = std::make_unique<test::RunningProgram>(test::program_path("pipekit-worker"), args);
  events_->wait_for(
      "worker.joined of " + name,
      [&](const test::LoggedEvent& event) { return event.kind == "worker.joined" && event.worker == name; }, before);
  return worker;
}

void LocalBroker::stop() {
  process_->signal(SIGTERM);
  process_->wait();
}

}  // namespace pipekit::bench
