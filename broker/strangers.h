// Counts who left an encrypted socket without having shown a key: whoever speaks without encryption, has a wrong key of
// this broker, breaks off, or is something that is not this protocol at all. Keys that are shown and not allowed are
// zap.h's. On the broker's thread.
#pragma once

#include <map>
#include <zmq.hpp>

#include "shared/socket_monitor.h"

namespace pipekit {

class Strangers {
 public:
  Strangers(zmq::context_t& context, zmq::socket_t& watched);

  // Those since the last call; rather one too few than one who was none.
  int take();
  zmq::socket_t& socket() { return monitor_.socket(); }

 private:
  void on(const SocketEvent& event);

  SocketMonitor monitor_;
  // ZeroMQ tells that a handshake ended, but not whose, and of noise only that its connection is over: it was noise if
  // no handshake at all has ended in between.
  int64_t ended_ = 0;
  std::map<int, int64_t> ended_when_accepted_;  // by file descriptor
  int count_ = 0;
};

}  // namespace pipekit
