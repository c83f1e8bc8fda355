// The handshake's question (ZeroMQ RFC 27, ZAP): may this key come in? Answered on the broker's thread, between turns.
#pragma once

#include <functional>
#include <string>
#include <zmq.hpp>

namespace pipekit {

class ZapSocket {
 public:
  // One a context.
  explicit ZapSocket(zmq::context_t& context);

  // Answers all that wait. `admits` is given the peer's public key as Z85, which becomes the User-Id of its messages.
  // Returns the number refused.
  int answer(const std::function<bool(const std::string& public_key)>& admits);
  zmq::socket_t& socket() { return socket_; }

 private:
  zmq::socket_t socket_;
};

}  // namespace pipekit
