// Counts the connections that left an encrypted socket without having shown a key: peers that do not encrypt, have a
// wrong key of this broker, break off, or do not speak this protocol. zap.h counts the keys that are not allowed. On
// the broker's thread.
#pragma once

#include <map>
#include <zmq.hpp>

#include "shared/socket_monitor.h"

namespace pipekit {

class Strangers {
 public:
  Strangers(zmq::context_t& context, zmq::socket_t& watched);

  // The number since the last call. It may be too low, never too high.
  int take();
  zmq::socket_t& socket() { return monitor_.socket(); }

 private:
  void on(const SocketEvent& event);

  SocketMonitor monitor_;
  // ZeroMQ reports that a handshake ended, but not on which connection; of a peer that speaks no ZeroMQ it reports only
  // the end of the connection. A connection counts as such a peer if no handshake ended while it was open.
  int64_t ended_ = 0;
  std::map<int, int64_t> ended_when_accepted_;  // by file descriptor
  int count_ = 0;
};

}  // namespace pipekit
