// Answers, for ZeroMQ's handshake (RFC 27, ZAP), whether a key may connect. On the broker's thread, between turns.
#pragma once

#include <functional>
#include <string>
#include <zmq.hpp>

namespace pipekit {

class ZapSocket {
 public:
  // One a context.
  explicit ZapSocket(zmq::context_t& context);

  enum class Answer {
    allowed,
    unknown,   // refused: its owner sees that the key is not allowed
    too_many,  // disconnected without an answer: ZeroMQ's other end tries again
  };
  // Answers all that wait. `judge` is given the peer's public key as Z85, which becomes the User-Id of its messages.
  // Returns the number of unknown keys.
  int answer(const std::function<Answer(const std::string& public_key)>& judge);
  zmq::socket_t& socket() { return socket_; }

 private:
  zmq::socket_t socket_;
};

}  // namespace pipekit
