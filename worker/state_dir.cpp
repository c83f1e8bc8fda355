#include "worker/state_dir.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <optional>
#include <system_error>

#include "worker/spawn.h"

namespace pipekit::worker {
namespace {

namespace fs = std::filesystem;

Error failed(std::string_view what, const fs::path& path, int error) {
  const bool rights = error == EACCES || error == EPERM || error == EROFS;
  return {rights ? ErrorCode::kRefused : ErrorCode::kUnavailable,
          fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(error)),
          rights ? "let the worker's user write to the directory, or choose another with --state-dir" : ""};
}

Result<void> create_private(const fs::path& dir) {
  fs::path so_far;
  for (const auto& part : dir) {
    so_far /= part;
    if (::mkdir(so_far.c_str(), 0700) == 0 || errno == EEXIST || errno == EISDIR) continue;
    const int error = errno;
    struct stat exists {};  // the same errors come from a parent directory that we cannot write
    if (::stat(so_far.c_str(), &exists) != 0) return failed("create the directory", so_far, error);
  }
  return {};
}

Result<void> check_private(const fs::path& dir) {
  struct stat info {};
  if (::stat(dir.c_str(), &info) != 0) return failed("use the directory", dir, errno);
  if (!S_ISDIR(info.st_mode)) return failed("use the directory", dir, ENOTDIR);
  if (info.st_uid != ::geteuid()) {
    return Error{ErrorCode::kRefused, fmt::format("state directory {} belongs to another user", dir.string()),
                 "run the worker as that user, or choose another directory with --state-dir"};
  }
  if ((info.st_mode & 077) == 0) return {};
  return Error{ErrorCode::kRefused,
               fmt::format("other users can access the state directory {} (mode {:04o})", dir.string(),
                           static_cast<unsigned>(info.st_mode & 07777)),
               "chmod 700 " + dir.string()};
}

// A child waits, with the same open file: a lock that it gets is ours, and at the deadline it is killed. (A signal that
// interrupts flock could arrive before the call begins.)
bool lock_within(int lock, std::chrono::milliseconds limit) {
  const pid_t parent = ::getpid();
  const pid_t waiter = ::fork();
  if (waiter == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == parent) ::flock(lock, LOCK_EX);
    ::_exit(0);
  }
  if (waiter < 0) throw std::system_error(errno, std::generic_category(), "fork");
  const auto ended = open_pidfd(waiter);
  pollfd waited{ended.get(), POLLIN, 0};
  ::poll(&waited, 1, static_cast<int>(limit.count()));
  ::kill(waiter, SIGKILL);
  ::waitpid(waiter, nullptr, 0);
  return ::flock(lock, LOCK_EX | LOCK_NB) == 0;
}

pid_t holder(int lock) {
  char text[32];
  const auto size = ::pread(lock, text, sizeof text, 0);
  pid_t pid = 0;
  if (size > 0) std::from_chars(text, text + size, pid);
  return pid;
}

std::string in_use_by(int lock) {
  const auto pid = holder(lock);
  if (pid <= 0) return "another worker";
  const bool alive = ::kill(pid, 0) == 0 || errno == EPERM;
  return alive ? fmt::format("worker pid {}", pid) : fmt::format("children of worker pid {}, which has ended", pid);
}

// `lock` holds the pid of the one that has `wanted`, or had it when its children were started.
Result<void> take(int wanted, int lock, const fs::path& dir, std::chrono::milliseconds limit,
                  const std::function<void(const std::string&)>& on_wait) {
  if (::flock(wanted, LOCK_EX | LOCK_NB) == 0) return {};
  if (errno != EWOULDBLOCK) return failed("lock", dir / "lock", errno);
  const auto holder_text = in_use_by(lock);
  if (on_wait) on_wait(fmt::format("state directory {} is in use by {}; waiting", dir.string(), holder_text));
  if (limit > limit.zero() && lock_within(wanted, limit)) return {};
  return Error{ErrorCode::kUnavailable,
               fmt::format("state directory {} is in use by {}", dir.string(), in_use_by(lock)),
               "stop that worker, or choose a different directory with --state-dir"};
}

// If the file was removed while we waited for it, others lock a new one.
bool still_there(int lock, const fs::path& path) {
  struct stat ours {};
  struct stat named {};
  return ::fstat(lock, &ours) == 0 && ::stat(path.c_str(), &named) == 0 && ours.st_ino == named.st_ino &&
         ours.st_dev == named.st_dev;
}

Result<UniqueFd> lock_dir(const fs::path& dir, std::chrono::milliseconds limit,
                          const std::function<void(const std::string&)>& on_wait) {
  const auto path = dir / "lock";
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return failed("open", path, errno);
  if (auto taken = take(lock.get(), lock.get(), dir, limit, on_wait); !taken) return taken.error();
  if (!still_there(lock.get(), path)) {
    return Error{ErrorCode::kUnavailable, path.string() + " was removed while this worker waited for it",
                 "start the worker again, and do not remove that file"};
  }
  return lock;
}

// Taken and given back: that shows that no child is left, and ours take it next.
Result<UniqueFd> await_children(int lock, const fs::path& dir, std::chrono::milliseconds limit,
                                const std::function<void(const std::string&)>& on_wait) {
  const auto path = dir / "children";
  UniqueFd children(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!children) return failed("open", path, errno);
  if (auto taken = take(children.get(), lock, dir, limit, on_wait); !taken) return taken.error();
  if (!still_there(children.get(), path)) {
    return Error{ErrorCode::kUnavailable, path.string() + " was removed while this worker waited for it",
                 "start the worker again, and do not remove that file"};
  }
  ::flock(children.get(), LOCK_UN);
  return children;
}

Result<void> write_pid(int lock, const fs::path& path) {
  const auto pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock, 0) == 0 && ::pwrite(lock, pid.data(), pid.size(), 0) > 0) return {};
  return failed("write", path, errno);
}

std::optional<std::string> read_small(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  char text[64];
  const auto size = file ? ::read(file.get(), text, sizeof text) : -1;
  if (size < 0) return std::nullopt;
  return std::string(text, static_cast<std::size_t>(size));
}

std::string random_id() {
  uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) != sizeof bits) {
    throw std::system_error(errno, std::generic_category(), "getrandom");
  }
  return fmt::format("{:016x}", bits);
}

// It gets its final name only when it is complete and on disk: a crash leaves no half id.
bool write_durably(const fs::path& path, const std::string& text) {
  const auto draft = path.string() + ".new";
  const UniqueFd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return false;
  if (::fsync(file.get()) != 0 || ::rename(draft.c_str(), path.c_str()) != 0) return false;
  const UniqueFd parent(::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return parent && ::fsync(parent.get()) == 0;
}

Result<std::string> load_id(const fs::path& path) {
  auto text = read_small(path);
  if (!text && errno != ENOENT) return failed("read", path, errno);
  if (!text) {
    const auto id = random_id();
    if (!write_durably(path, id + "\n")) return failed("write", path, errno);
    return id;
  }
  if (text->ends_with('\n')) text->pop_back();
  const bool valid = text->size() == 16 && std::ranges::all_of(*text, [](char c) {
                       return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                     });
  if (valid) return *text;
  return Error{ErrorCode::kInvalid, path.string() + " does not contain 16 hexadecimal digits",
               "remove that file; the worker then creates a new one"};
}

Result<void> empty_scratch(const fs::path& scratch) {
  std::error_code error;
  fs::remove_all(scratch, error);
  if (error) return failed("empty", scratch, error.value());
  if (::mkdir(scratch.c_str(), 0700) != 0) return failed("create", scratch, errno);
  return {};
}

}  // namespace

Result<StateDir> StateDir::open(const fs::path& dir, std::chrono::milliseconds limit,
                                const std::function<void(const std::string&)>& on_wait) {
  StateDir state;
  state.path_ = fs::absolute(dir).lexically_normal();
  state.scratch_ = state.path_ / "scratch";
  if (auto made = create_private(state.path_); !made) return made.error();
  if (auto checked = check_private(state.path_); !checked) return checked.error();
  auto lock = lock_dir(state.path_, limit, on_wait);
  if (!lock) return lock.error();
  state.lock_ = std::move(*lock);
  auto children = await_children(state.lock_.get(), state.path_, limit, on_wait);
  if (!children) return children.error();
  state.children_ = std::move(*children);
  if (auto written = write_pid(state.lock_.get(), state.path_ / "lock"); !written) return written.error();
  auto id = load_id(state.path_ / "id");
  if (!id) return id.error();
  struct stat named {};
  if (::fstat(state.lock_.get(), &named) != 0) return failed("look at", state.path_ / "lock", errno);
  state.id_ = fmt::format("{}-{:x}", *id, named.st_ino);
  if (auto emptied = empty_scratch(state.scratch_); !emptied) return emptied.error();
  return state;
}

// One byte: a full disk takes an empty file.
Result<void> StateDir::check() const {
  if (!still_there(lock_.get(), path_ / "lock") || !still_there(children_.get(), path_ / "children")) {
    return Error{ErrorCode::kUnavailable,
                 fmt::format("state directory {} was removed or replaced while this worker ran", path_.string()),
                 "start the worker again: it creates a new one. Do not change the directory while a worker runs"};
  }
  const auto probe = scratch_ / "probe";
  const UniqueFd file(::open(probe.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file || ::write(file.get(), "x", 1) != 1) return failed("write", probe, errno);
  ::unlink(probe.c_str());
  return {};
}

}  // namespace pipekit::worker
