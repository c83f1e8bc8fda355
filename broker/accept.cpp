#include "broker/accept.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "broker/connections.h"

namespace pipekit {
namespace {

std::atomic<Connections*> watching{nullptr};

}  // namespace

void watch_accepts(Connections* connections) { watching = connections; }

}  // namespace pipekit

// A refused connection is reported as aborted: ZeroMQ's listeners expect that, and accept the next one. On EMFILE the
// ipc listener would abort the process.
extern "C" int accept4(int listener, sockaddr* address, socklen_t* size, int flags) {
  auto* const connections = pipekit::watching.load();
  const int fd = static_cast<int>(::syscall(SYS_accept4, listener, address, size, flags));
  if (connections == nullptr) return fd;
  if (fd < 0 && errno == EMFILE) {
    connections->turn_away(listener);
  } else if (fd < 0 || connections->admits(listener, fd)) {
    return fd;
  } else {
    ::close(fd);
  }
  errno = ECONNABORTED;
  return -1;
}

extern "C" int accept(int listener, sockaddr* address, socklen_t* size) { return accept4(listener, address, size, 0); }
