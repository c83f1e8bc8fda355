// A network between a client and a server on loopback that misbehaves when told: it resets connections, holds back what
// is sent, or delivers it late. What TCP makes of lost packets is a stall. One thread of its own; the calls are any one
// thread's, and are done when they return. Errors are std::system_error.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "shared/unique_fd.h"

namespace pipekit::test {

class TcpProxy {
 public:
  // Listens on a free port of 127.0.0.1, and passes on to this one.
  explicit TcpProxy(int target_port);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  [[nodiscard]] int port() const { return port_; }
  // Both ends of each connection get a reset; answers how many there were.
  int reset_all();
  // Nothing arrives any more, nor is accepted, until it flows again.
  void stall();
  void flow();
  // Each piece arrives so much later.
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
