// Opens descriptors 0 to 2 if they are closed. Without this, the first file that a program opens would get such a
// number, and the program's messages would be written into the store or a socket. Called first in main.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace pipekit {

inline void open_standard_fds() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    if (::open("/dev/null", O_RDWR) != fd) ::_exit(1);  // the lowest free number is the one that is missing
  }
}

}  // namespace pipekit
