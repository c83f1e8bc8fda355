// Loaded before the C library into a process whose disk must fail (the tests' FailingDisk). While the file
// $FAILING_DISK says "write 5" or "sync 28", SQLite's calls of that kind fail with that errno. Any thread.
#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

// Uses none of the calls that are replaced here. 0: the disk works.
int error_of(const char* call) {
  const char* file = std::getenv("FAILING_DISK");
  const int fd = file == nullptr ? -1 : ::open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char text[32] = {};
  const auto size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  const size_t length = std::strlen(call);
  if (size <= 0 || std::strncmp(text, call, length) != 0 || text[length] != ' ') return 0;
  return std::atoi(text + length);
}

bool fails(const char* call) {
  const int before = errno;
  const int error = error_of(call);
  errno = error == 0 ? before : error;
  return error != 0;
}

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return fails("write") ? -1 : real(fd, bytes, size, at);
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  static const auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return fails("write") ? -1 : real(fd, bytes, size, at);
}

int fdatasync(int fd) {
  static const auto real = next<int (*)(int)>("fdatasync");
  return fails("sync") ? -1 : real(fd);
}

int fsync(int fd) {
  static const auto real = next<int (*)(int)>("fsync");
  return fails("sync") ? -1 : real(fd);
}
}
