#include "broker/strangers.h"

#include <utility>

namespace pipekit {
namespace {

constexpr int kHandshakeEnded = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                                ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

}  // namespace

Strangers::Strangers(zmq::context_t& context, zmq::socket_t& watched)
    : monitor_(context, watched, kHandshakeEnded | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED) {}

int Strangers::take() {
  while (const auto event = monitor_.next_event()) on(*event);
  return std::exchange(count_, 0);
}

void Strangers::on(const SocketEvent& event) {
  if (event.number == ZMQ_EVENT_ACCEPTED) {
    ended_when_accepted_[event.value] = ended_;
  } else if (event.number == ZMQ_EVENT_DISCONNECTED) {
    const auto found = ended_when_accepted_.extract(event.value);
    if (!found.empty() && found.mapped() == ended_) ++count_;
  } else {
    ++ended_;
    // NO_DETAIL: a client without a key notices that itself, and often closes the connection first.
    const bool turned_away =
        event.number == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL || event.number == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    if (turned_away) ++count_;
  }
}

}  // namespace pipekit
