// The events that ZeroMQ reports about a socket's connections, such as a broken connection or a refused handshake. On
// the thread that owns the socket. It must be destroyed before the socket.
#pragma once

#include <optional>
#include <zmq.hpp>

namespace pipekit {

struct SocketEvent {
  int number = 0;  // one of ZMQ_EVENT_*
  int value = 0;   // for most events: the connection's file descriptor
};

class SocketMonitor {
 public:
  // `events`: of ZMQ_EVENT_*.
  SocketMonitor(zmq::context_t& context, zmq::socket_t& watched, int events);
  ~SocketMonitor();
  SocketMonitor(const SocketMonitor&) = delete;
  SocketMonitor& operator=(const SocketMonitor&) = delete;

  // nullopt when none waits.
  std::optional<SocketEvent> next_event();
  // Its number alone.
  std::optional<int> next();
  zmq::socket_t& socket() { return listener_; }

 private:
  zmq::socket_t& watched_;
  zmq::socket_t listener_;
};

// Whether the event means that the peer refused this side: no key, a wrong one, or one that it does not allow. A
// handshake that broke off (NO_DETAIL) does not mean that: the other process may have died.
bool is_refusal(int event);
inline constexpr int kRefusals = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;

}  // namespace pipekit
