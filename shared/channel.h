// Framed send and receive over ZeroMQ. One thread owns a socket. Only this file and the loops include zmq.
//
// RouterSocket: the broker's side. A peer is named by the routing id that our own socket made for it (5 bytes, the
// first is 0); a peer that chose its own is dropped. A send to a peer that is gone, or whose queue is full, returns
// false. DealerSocket: the client's or worker's side. Never blocks; a send with nobody connected returns false.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <zmq.hpp>

#include "shared/codec.h"
#include "shared/key_file.h"

namespace pipekit {

struct Received {
  std::string peer;  // empty on a dealer
  Frames frames;
  std::string key{};  // the peer's public key, proven by the handshake; empty where there is no encryption
};

// How a client speaks to a socket that is encrypted.
struct ClientKeys {
  KeyPair own;
  std::string broker;  // its public key
};

class EndpointError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Sockets share one context a process.
class RouterSocket {
 public:
  // Throws EndpointError when the endpoint cannot be bound.
  // `queue`: frames that may wait for one peer; what comes on top is refused.
  // `keys`: encrypts, and asks the context's ZAP handler about each peer's key.
  RouterSocket(zmq::context_t& context, const std::string& endpoint, int queue,
               const std::optional<KeyPair>& keys = std::nullopt);
  // A message that has not the shape peer, head, body is dropped and counted.
  std::optional<Received> try_receive();
  bool send(const std::string& peer, const Frames& frames);
  zmq::socket_t& socket() { return socket_; }
  [[nodiscard]] int64_t malformed() const { return malformed_; }

 private:
  zmq::socket_t socket_;
  int64_t malformed_ = 0;
};

class DealerSocket {
 public:
  // queue: what is sent while nobody is connected waits for the connection (a worker's hello); else send() says false.
  DealerSocket(zmq::context_t& context, const std::string& endpoint, bool queue = false,
               const std::optional<ClientKeys>& keys = std::nullopt);
  std::optional<Received> try_receive();
  bool send(const Frames& frames);
  zmq::socket_t& socket() { return socket_; }

 private:
  zmq::socket_t socket_;
};

}  // namespace pipekit
