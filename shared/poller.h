// Waits for sockets, file descriptors and one deadline together. One thread.
#pragma once

#include <optional>
#include <vector>
#include <zmq.hpp>

#include "shared/clock.h"

namespace pipekit {

class Poller {
 public:
  // Returns a slot, for readable() after a wait.
  size_t add(zmq::socket_t& socket);
  size_t add(int fd);
  // Stops or resumes watching a slot (backpressure).
  void watch(size_t slot, bool on);
  // nullopt: waits until something is readable. A deadline in the past: checks and returns at once. EINTR returns
  // early.
  void wait_until(std::optional<MonoTime> deadline, const Clock& clock);
  [[nodiscard]] bool readable(size_t slot) const { return items_[slot].revents != 0; }

 private:
  std::vector<zmq_pollitem_t> items_;
  std::vector<int> fds_;  // -1 for a socket
};

}  // namespace pipekit
