#include "worker/jrunner/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "worker/jrunner/failure.h"

namespace pipekit::jrunner {
namespace {

std::string temporary_directory() {
  const char* chosen = std::getenv("TMPDIR");
  return chosen != nullptr && *chosen != '\0' ? chosen : "/tmp";
}

[[noreturn]] void cannot(const std::string& what) {
  throw Failure({ErrorCode::kUnexpected,
                 "cannot " + what + " a temporary file in " + temporary_directory() + ": " + std::strerror(errno),
                 "set TMPDIR to a directory with room for the result"});
}

UniqueFd nameless_file() {
  UniqueFd file(::open(temporary_directory().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file) return file;
  auto name = temporary_directory() + "/pipekit-jrunner-XXXXXX";  // a file system without O_TMPFILE
  file.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!file) cannot("make");
  ::unlink(name.c_str());
  return file;
}

}  // namespace

void Spool::append(std::string_view bytes) {
  memory_ += bytes;
  if (memory_.size() >= kMemoryBytes) flush();
}

void Spool::flush() {
  if (!file_) file_ = nameless_file();
  for (size_t done = 0; done < memory_.size();) {
    const auto n = ::write(file_.get(), memory_.data() + done, memory_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) cannot("write");
    done += static_cast<size_t>(n);
  }
  memory_.clear();
}

void Spool::clear() {
  memory_.clear();
  at_ = 0;
  file_.reset();
}

void Spool::rewind() {
  at_ = 0;
  if (!file_) return;
  flush();
  if (::lseek(file_.get(), 0, SEEK_SET) != 0) cannot("read");
}

std::string_view Spool::read(size_t most) {
  if (at_ == memory_.size() && file_) {
    memory_.resize(kMemoryBytes);
    ssize_t n = 0;
    do {
      n = ::read(file_.get(), memory_.data(), memory_.size());
    } while (n < 0 && errno == EINTR);
    if (n < 0) cannot("read");
    memory_.resize(static_cast<size_t>(n));
    at_ = 0;
  }
  const auto bytes = std::string_view(memory_).substr(at_, most);
  at_ += bytes.size();
  return bytes;
}

bool Spool::read_exactly(char* to, size_t size) {
  size_t done = 0;
  while (done < size) {
    const auto bytes = read(size - done);
    if (bytes.empty()) return false;
    bytes.copy(to + done, bytes.size());
    done += bytes.size();
  }
  return true;
}

}  // namespace pipekit::jrunner
