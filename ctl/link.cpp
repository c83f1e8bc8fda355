#include "ctl/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace pipekit::ctl {
namespace {

constexpr Millis kPauseAfterDisconnect{50};

long timeout_until(std::optional<MonoTime> deadline, const Clock& clock) {
  if (!deadline) return -1;
  // Rounded up: waking before the deadline would find nothing due and spin.
  const auto left = std::chrono::ceil<Millis>(*deadline - clock.now()).count();
  return static_cast<long>(std::clamp<int64_t>(left, 0, 3'600'000));
}

// CLOSED: nobody listens.
constexpr int kEndsOfAttempts = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_CLOSED;

bool is_end_of_attempt(int event) { return (event & kEndsOfAttempts) != 0; }

}  // namespace

Link::Link(std::string endpoint, const Clock& clock, std::optional<ClientKeys> keys)
    : endpoint_(std::move(endpoint)), clock_(clock), keys_(std::move(keys)) {
  reconnect();
}

Link::~Link() { monitor_.reset(); }

void Link::reconnect() {
  monitor_.reset();
  socket_.reset();
  socket_.emplace(context_, endpoint_, false, keys_);
  monitor_.emplace(context_, socket_->socket(), kEndsOfAttempts | ZMQ_EVENT_DISCONNECTED | kRefusals);
  up_ = false;
}

bool Link::replaced_after_disconnect() {
  bool disconnected = false;
  while (const auto event = monitor_->next()) {
    up_ = up_ || *event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    if (is_end_of_attempt(*event)) hung_up_on_ = *event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
    // Nothing was sent on a connection that never succeeded; ZeroMQ tries again on its own, with a pause.
    disconnected = disconnected || (up_ && *event == ZMQ_EVENT_DISCONNECTED);
    refused_ = refused_ || is_refusal(*event);
  }
  if (!disconnected) return false;
  reconnect();
  send_from_ = clock_.now() + kPauseAfterDisconnect;
  return true;
}

std::optional<Error> Link::refused() const {
  return refused_ ? std::optional(handshake_refused(endpoint_, keys_.has_value())) : std::nullopt;
}

bool Link::send(const ClientToBroker& message) { return clock_.now() >= send_from_ && socket_->send(encode(message)); }

Result<std::optional<BrokerToClient>> Link::receive() {
  const auto received = socket_->try_receive();
  if (!received) return std::optional<BrokerToClient>{};
  auto message = decode_broker_to_client(received->frames.head, received->frames.body);
  if (!message) return message.error();
  return std::optional<BrokerToClient>{std::move(*message)};
}

void Link::also_wait_for(int interrupt_fd, int output_fd) {
  interrupt_fd_ = interrupt_fd;
  output_fd_ = output_fd;
}

Link::Woke Link::wait(bool for_sending, std::optional<MonoTime> deadline) {
  if (for_sending && clock_.now() < send_from_) {
    for_sending = false;
    deadline = std::min(deadline.value_or(send_from_), send_from_);
  }
  const auto wanted = static_cast<short>(for_sending ? ZMQ_POLLIN | ZMQ_POLLOUT : ZMQ_POLLIN);
  std::vector<zmq_pollitem_t> items = {{socket_->socket().handle(), 0, wanted, 0},
                                       {monitor_->socket().handle(), 0, ZMQ_POLLIN, 0}};
  if (interrupt_fd_ >= 0) items.push_back({nullptr, interrupt_fd_, ZMQ_POLLIN, 0});
  if (output_fd_ >= 0) items.push_back({nullptr, output_fd_, 0, 0});  // only its POLLERR
  const int ready = zmq_poll(items.data(), static_cast<int>(items.size()), timeout_until(deadline, clock_));
  if (ready < 0 && zmq_errno() != EINTR) throw zmq::error_t();
  if (ready <= 0) return Woke::socket_or_deadline;
  const auto fired = [&](int fd) {
    return fd >= 0 && std::ranges::any_of(items, [fd](const auto& item) {
             return item.socket == nullptr && item.fd == fd && item.revents != 0;
           });
  };
  if (fired(interrupt_fd_)) return Woke::interrupted;
  return fired(output_fd_) ? Woke::output_closed : Woke::socket_or_deadline;
}

}  // namespace pipekit::ctl
