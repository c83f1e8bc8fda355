// What ZeroMQ tells of a socket's connection: that it broke, that the other side refused the handshake. On the thread
// that owns the socket. It has to go before the socket does.
#pragma once

#include <optional>
#include <zmq.hpp>

namespace pipekit {

struct SocketEvent {
  int number = 0;  // one of ZMQ_EVENT_*
  int value = 0;   // of most: the connection's file descriptor
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

// Whether the event says that the peer would not have us: no key, a wrong one, or one that it does not allow. A
// handshake that merely broke off (NO_DETAIL) says nothing: the other process may have died.
bool is_refusal(int event);
inline constexpr int kRefusals = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;

}  // namespace pipekit
