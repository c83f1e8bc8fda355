#include "worker/jrunner/standard_output.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <string>

#include "worker/jrunner/failure.h"

namespace pipekit::jrunner {

void StandardOutput::wait_for_room() const {
  std::array<pollfd, 2> fds{{{STDOUT_FILENO, POLLOUT, 0}, {cancellation_.fd(), POLLIN, 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0 && errno == EINTR) {
  }
  cancellation_.throw_if_requested();
}

// A writable pipe accepts PIPE_BUF bytes without blocking; more may block.
void StandardOutput::write(std::string_view text) {
  while (!text.empty()) {
    wait_for_room();
    const auto n = ::write(STDOUT_FILENO, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EPIPE) {
      throw Interrupted(SIGPIPE);
    } else if (errno != EINTR && errno != EAGAIN) {
      throw Failure({ErrorCode::kUnexpected, std::string("cannot write to stdout: ") + std::strerror(errno)});
    }
  }
}

}  // namespace pipekit::jrunner
