// Framed send and receive over ZeroMQ. One thread owns a socket. Only this file and the loops include zmq.
//
// RouterSocket: the broker's side. A peer's name is the routing id that this socket created for it (5 bytes, the first
// is 0); a peer that chose its own id has no name here and gets no answer. A send to a peer that is gone, or whose
// queue is full, returns false. DealerSocket: the client's or worker's side. It never blocks; a send without a
// connection returns false.
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
  bool misshapen = false;  // not three parts, or a peer that chose its own id: not readable
  bool unwanted = false;   // RouterSocket::Wanted returned false
};

// The keys with which a client connects to an encrypted socket.
struct ClientKeys {
  KeyPair own;
  std::string broker;  // its public key
};

class EndpointError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// All sockets of a process share one context.
class RouterSocket {
 public:
  // Throws EndpointError when the endpoint cannot be bound, or ZeroMQ would listen anywhere else.
  // `queue`, `queue_bytes`: how many frames and bytes may wait for one peer; more are refused. Only large frames count
  // their bytes, and a single one may have any size.
  // `keys`: encrypts, and the context's ZAP handler decides about each peer's key.
  RouterSocket(zmq::context_t& context, const std::string& endpoint, int queue,
               const std::optional<KeyPair>& keys = std::nullopt, int64_t queue_bytes = int64_t{32} << 20U);
  // Called before a message is copied, with its sender (without frames) and its size. False: it is not copied.
  using Wanted = std::function<bool(const Received& from, size_t bytes)>;
  // An unwanted message is returned without its frames.
  std::optional<Received> try_receive(const Wanted& wanted = nullptr);
  bool send(const std::string& peer, Frames frames);
  zmq::socket_t& socket() { return socket_; }

 private:
  // Shared with ZeroMQ's thread, which counts down what it has sent or dropped.
  using Held = std::shared_ptr<std::atomic<int64_t>>;
  // nullptr: too many bytes wait for this peer already.
  Held hold(const std::string& peer, size_t bytes);

  zmq::socket_t socket_;
  const int64_t queue_bytes_;
  const bool on_ipc_;
  std::map<std::string, Held> held_;  // for peers for which large frames wait
};

class DealerSocket {
 public:
  // queue: a message that is sent without a connection waits for one (a worker's hello); otherwise send() returns
  // false.
  DealerSocket(zmq::context_t& context, const std::string& endpoint, bool queue = false,
               const std::optional<ClientKeys>& keys = std::nullopt);
  std::optional<Received> try_receive();
  bool send(const Frames& frames);
  zmq::socket_t& socket() { return socket_; }

 private:
  zmq::socket_t socket_;
};

}  // namespace pipekit
