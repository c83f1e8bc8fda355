#include "shared/socket_monitor.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>

namespace pipekit {
namespace {

// Each name is used once in a process: ZeroMQ frees names with a delay.
std::string fresh_name() {
  static std::atomic<int64_t> number{0};
  return fmt::format("inproc://monitor-{}", ++number);
}

}  // namespace

SocketMonitor::SocketMonitor(zmq::context_t& context, zmq::socket_t& watched, int events)
    : watched_(watched), listener_(context, zmq::socket_type::pair) {
  const auto name = fresh_name();
  if (zmq_socket_monitor(watched_.handle(), name.c_str(), events) != 0) throw zmq::error_t();
  listener_.set(zmq::sockopt::linger, 0);
  listener_.connect(name);
}

// The monitored socket must stop sending events before its listener is closed: ZeroMQ's I/O thread would wait forever.
SocketMonitor::~SocketMonitor() { zmq_socket_monitor(watched_.handle(), nullptr, 0); }

std::optional<SocketEvent> SocketMonitor::next_event() {
  zmq::message_t event;
  if (!listener_.recv(event, zmq::recv_flags::dontwait)) return std::nullopt;
  zmq::message_t address;
  if (event.more()) static_cast<void>(listener_.recv(address));
  uint16_t number = 0;
  int32_t value = 0;
  if (event.size() == sizeof number + sizeof value) {
    std::memcpy(&number, event.data(), sizeof number);
    std::memcpy(&value, event.data<char>() + sizeof number, sizeof value);
  }
  return SocketEvent{number, value};
}

std::optional<int> SocketMonitor::next() {
  const auto event = next_event();
  return event ? std::optional(event->number) : std::nullopt;
}

bool is_refusal(int event) { return (event & kRefusals) != 0; }

}  // namespace pipekit
