#include "tests/support/network_namespace.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "tests/support/run_program.h"

namespace pipekit::test {
namespace {

// Runs on a separate thread, which is in the new namespace when it ends; this thread stays in its own.
UniqueFd new_namespace(int& error) {
  UniqueFd fd;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) == 0) fd = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    error = fd ? 0 : errno;
  }).join();
  return fd;
}

bool has_program(const std::string& name) {
  return run_program("/bin/sh", {"-c", "command -v " + name}).exit_code == 0;
}

// The third byte of a cable's addresses: namespaces contain only the cables of this process.
int next_number() {
  static int cables = 0;
  return ++cables;
}

std::string hardware_address(int cable, int end) { return fmt::format("02:00:00:00:{:02x}:{:02x}", cable, end); }

constexpr auto kNobody = "02:00:00:00:ff:ff";

}  // namespace

std::string NetworkNamespace::missing() {
  for (const auto* program : {"ip", "nsenter"}) {
    if (!has_program(program)) return fmt::format("needs the program {} (script/bootstrap)", program);
  }
  int error = 0;
  if (new_namespace(error)) return "";
  return fmt::format("needs the right to make network namespaces, which root has: {}", std::strerror(error));
}

NetworkNamespace::NetworkNamespace() {
  int error = 0;
  fd_ = new_namespace(error);
  if (!fd_) throw std::runtime_error(fmt::format("no network namespace: {}", std::strerror(error)));
  ip("link set lo up\n");
}

std::string NetworkNamespace::path() const { return fmt::format("/proc/{}/fd/{}", ::getpid(), fd_.get()); }

std::vector<std::string> NetworkNamespace::enter() const { return {"nsenter", "--net=" + path()}; }

void NetworkNamespace::ip(const std::string& commands) const {
  ProgramOptions options;
  options.within = enter();
  options.input = commands;
  const auto result = run_program("ip", {"-batch", "-"}, options);
  if (result.exit_code != 0) throw std::runtime_error(fmt::format("ip: {}\n{}", commands, result.err));
}

VirtualCable::VirtualCable(const NetworkNamespace& left, const NetworkNamespace& right)
    : left_(left), right_(right), number_(next_number()) {
  left.ip(fmt::format("link add {0} address {1} type veth peer name {0} address {2} netns {3}\n", device(),
                      hardware_address(number_, 1), hardware_address(number_, 2), right.path()));
  int end = 1;
  for (const auto* host : {&left, &right}) {
    host->ip(fmt::format("addr add {}/30 dev {}\nlink set {} up\n", address(end++), device(), device()));
  }
  heal();
}

std::string VirtualCable::address(int end) const { return fmt::format("10.77.{}.{}", number_, end); }

std::string VirtualCable::device() const { return fmt::format("cable{}", number_); }

// Packets to a hardware address that does not exist are received by nobody.
void VirtualCable::send_to(const NetworkNamespace& from, int end, bool arrives) const {
  from.ip(fmt::format("neigh replace {} lladdr {} dev {} nud permanent\n", address(end),
                      arrives ? hardware_address(number_, end) : kNobody, device()));
}

void VirtualCable::cut() {
  cut_to_left();
  cut_to_right();
}

void VirtualCable::heal() {
  send_to(right_, 1, true);
  send_to(left_, 2, true);
}

}  // namespace pipekit::test
