#include "shared/poller.h"

#include <algorithm>

namespace pipekit {

size_t Poller::add(zmq::socket_t& socket) {
  items_.push_back({socket.handle(), 0, ZMQ_POLLIN, 0});
  fds_.push_back(-1);
  return items_.size() - 1;
}

size_t Poller::add(int fd) {
  items_.push_back({nullptr, fd, ZMQ_POLLIN, 0});
  fds_.push_back(fd);
  return items_.size() - 1;
}

void Poller::watch(size_t slot, bool on) {
  auto& item = items_[slot];
  item.events = on ? ZMQ_POLLIN : 0;
  // poll(2) reports a hang-up whether asked or not, and would return at once for ever; a negative fd it leaves alone.
  if (item.socket == nullptr) item.fd = on ? fds_[slot] : -1;
}

void Poller::wait_until(std::optional<MonoTime> deadline, const Clock& clock) {
  long timeout = -1;
  if (deadline) {
    // Rounded up: waking before the deadline would find nothing due and spin.
    const auto left = std::chrono::ceil<Millis>(*deadline - clock.now()).count();
    timeout = static_cast<long>(std::clamp<int64_t>(left, 0, 3'600'000));
  }
  for (auto& item : items_) item.revents = 0;
  if (zmq_poll(items_.data(), static_cast<int>(items_.size()), timeout) < 0 && zmq_errno() != EINTR) {
    throw zmq::error_t();
  }
}

}  // namespace pipekit
