// The socket to the broker. One thread. It is replaced (reconnect) rather than trusted when the broker is silent: what
// the old one still had under way is dropped with it, so an answer can only be to what was asked since. Later it throws
// zmq::error_t for a broken context only.
#pragma once

#include <optional>
#include <string>
#include <zmq.hpp>

#include "shared/channel.h"
#include "shared/client_keys.h"
#include "shared/clock.h"
#include "shared/socket_monitor.h"

namespace pipekit::ctl {

class Link {
 public:
  // The broker need not be there yet. zmq::error_t: ZeroMQ does not take the endpoint.
  Link(std::string endpoint, const Clock& clock, std::optional<ClientKeys> keys = std::nullopt);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  void reconnect();
  // False: nobody is connected (yet); wait with for_sending.
  bool send(const ClientToBroker& message);
  // The next message; nullopt when none waits. kVersionMismatch and kMalformed name what is wrong.
  Result<std::optional<BrokerToClient>> receive();

  // True once after the connection broke: what was sent on it may be lost. The socket was replaced, because a message
  // may still be put into a dead one after ZeroMQ has reported its end.
  bool replaced_after_disconnect();
  // The broker's end refused the handshake: it asks for a key, or does not allow this one.
  [[nodiscard]] std::optional<Error> refused() const;
  // Something listens, but the last handshake broke off: a broker that requires a key, or a different one, and closed
  // the connection before it could say so; or something that is not a broker.
  [[nodiscard]] bool hung_up_on() const { return hung_up_on_; }

  // These end a wait too; -1: nothing of the kind.
  void also_wait_for(int interrupt_fd, int output_fd);

  enum class Woke { socket_or_deadline, interrupted, output_closed };
  Woke wait(bool for_sending, std::optional<MonoTime> deadline);

  [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }

 private:
  std::string endpoint_;
  const Clock& clock_;
  zmq::context_t context_{1};
  std::optional<DealerSocket> socket_;
  std::optional<SocketMonitor> monitor_;  // tells when the connection breaks
  std::optional<ClientKeys> keys_;
  bool up_ = false;  // the connection, on this socket
  bool refused_ = false;
  bool hung_up_on_ = false;
  MonoTime send_from_{};  // so that a peer that accepts and closes is not asked a thousand times a second
  int interrupt_fd_ = -1;
  int output_fd_ = -1;
};

}  // namespace pipekit::ctl
