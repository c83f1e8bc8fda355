// Framed send and receive over ZeroMQ. One thread owns a socket. Only this file and the loops include zmq.
//
// RouterSocket: the broker's side. A peer is named by the routing id that our own socket made for it (5 bytes, the
// first is 0); a peer that chose its own has no name here and is not answered. A send to a peer that is gone, or whose
// queue is full, returns false. DealerSocket: the client's or worker's side. Never blocks; a send with nobody connected
// returns false.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
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
  std::string key{};       // the peer's public key, proven by the handshake; empty where there is no encryption
  std::string process{};   // of a peer on ipc, as the kernel knows it: "UID:GID:PID"; empty elsewhere
  int fd = -1;             // the connection's descriptor, which ZeroMQ owns
  bool misshapen = false;  // not peer, head, body, or a peer that chose its own id: nothing to read
  bool unwanted = false;   // RouterSocket::Wanted said no
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
  // Throws EndpointError when the endpoint cannot be bound, or ZeroMQ would listen anywhere else.
  // `queue`, `queue_bytes`: what may wait for one peer; what comes on top is refused. Only large frames count their
  // bytes, and one alone may have any size.
  // `keys`: encrypts, and asks the context's ZAP handler about each peer's key.
  RouterSocket(zmq::context_t& context, const std::string& endpoint, int queue,
               const std::optional<KeyPair>& keys = std::nullopt, int64_t queue_bytes = int64_t{32} << 20U);
  // Asked before a message is copied: who sent it (without frames), and its size.
  using Wanted = std::function<bool(const Received& from, size_t bytes)>;
  // What is not wanted comes without its frames.
  std::optional<Received> try_receive(const Wanted& wanted = nullptr);
  bool send(const std::string& peer, Frames frames);
  zmq::socket_t& socket() { return socket_; }

 private:
  // Shared with ZeroMQ's thread, which counts down what it has sent or dropped.
  using Held = std::shared_ptr<std::atomic<int64_t>>;
  // nullptr: too much is held for this peer already.
  Held hold(const std::string& peer, size_t bytes);

  zmq::socket_t socket_;
  const int64_t queue_bytes_;
  const bool on_ipc_;
  std::map<std::string, Held> held_;  // of peers for which something large waits
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
