// Where peers of a kind connect: the configured socket, and beside an encrypted one a local socket, for those on this
// host who need no key. On the broker's thread.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "broker/local_socket.h"
#include "broker/strangers.h"
#include "shared/channel.h"
#include "shared/poller.h"

namespace pipekit {

struct EntranceConfig {
  std::string endpoint;
  std::string local{};            // "": none beside it
  std::string group{};            // which may use the local socket, too; "": its owner alone
  std::optional<KeyPair> keys{};  // of an endpoint on tcp
  int queue = 1000;               // frames that may wait for one peer
  int64_t queue_bytes = 0;        // and bytes in large frames
  size_t turn_bytes = 0;          // after this many bytes, the rest waits for the next turn
};

// A refusal inside a constructor: main reports it.
class RefusedError : public std::runtime_error {
 public:
  explicit RefusedError(Error error) : std::runtime_error(error.message), error_(std::move(error)) {}
  [[nodiscard]] const Error& error() const { return error_; }

 private:
  Error error_;
};

class Entrance {
 public:
  // Throws EndpointError when a socket cannot be bound, RefusedError when it must not be.
  Entrance(zmq::context_t& context, const EntranceConfig& config);

  void add_to(Poller& poller);
  // Takes a bounded number of the waiting frames; true when none is left.
  bool drain(std::vector<Received>& into, const RouterSocket::Wanted& wanted = nullptr);
  // Connections that showed no key and were refused, since the last call.
  int take_strangers() { return strangers_ ? strangers_->take() : 0; }
  // False: the peer is gone or full.
  bool send(const std::string& peer, Frames frames);

 private:
  const size_t turn_bytes_;
  std::optional<LocalSocket> place_;  // of the ipc socket; taken before it is bound
  RouterSocket socket_;
  std::optional<Strangers> strangers_;  // of socket_, where it is encrypted
  std::optional<RouterSocket> local_;
};

}  // namespace pipekit
