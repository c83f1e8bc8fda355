// A network between a client and a server on loopback that misbehaves on request: it resets connections, holds data
// back, or delivers it late. (TCP turns lost packets into a stall.) It has its own thread; any one thread may call it,
// and calls have taken effect when they return. Errors are std::system_error.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "shared/unique_fd.h"

namespace pipekit::test {

class TcpProxy {
 public:
  // Listens on a free port of 127.0.0.1, and forwards to this port.
  explicit TcpProxy(int target_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  [[nodiscard]] int port() const { return port_; }
  // Resets both ends of each connection; returns how many there were.
  int reset_all();
  // Nothing is delivered or accepted until it flows again.
  void stall();
  void flow();
  // Each piece arrives this much later.
  void delay(std::chrono::milliseconds by);

 private:
  struct Network;
  void tell(const std::function<void(Network&)>& what);
  void run();

  std::unique_ptr<Network> network_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace pipekit::test
