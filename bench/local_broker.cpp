#include "bench/local_broker.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <csignal>
#include <system_error>

namespace pipekit::bench {

std::string free_endpoint() {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(fd.get(), generic, size) != 0 || ::getsockname(fd.get(), generic, &size) != 0) {
    throw std::system_error(errno, std::generic_category(), "no free port");
  }
  return fmt::format("tcp://127.0.0.1:{}", ntohs(address.sin_port));
}

LocalBroker::LocalBroker() : control_(free_endpoint()), workers_(free_endpoint()) {
  process_ = std::make_unique<test::RunningProgram>(
      test::program_path("pipekit-broker"), std::vector<std::string>{"--data-dir", dir_.file("d"), "--control-endpoint",
                                                                     control_, "--worker-endpoint", workers_});
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
