#include "worker/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "shared/failpoint.h"
#include "worker/spawn.h"
#include "worker/supervisor/protocol.h"

namespace pipekit::worker {
namespace {

using supervisor::Report;
using supervisor::ReportKind;

// From spawn to exec; only a hung file system or a stopped supervisor takes long.
constexpr std::chrono::milliseconds kStartLimit{10'000};

Error unavailable(std::string message, std::string hint = {}) {
  return {ErrorCode::kUnavailable, std::move(message), std::move(hint)};
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

Result<void> check(const SpawnSpec& spec) {
  if (spec.argv.empty() || spec.argv.front().empty()) return Error{ErrorCode::kInvalid, "no program to start"};
  if (has_nul(spec.cwd) || std::ranges::any_of(spec.argv, has_nul)) {
    return Error{ErrorCode::kInvalid, "an argument of " + spec.argv.front() + " contains a NUL byte"};
  }
  for (const auto& [name, value] : spec.env) {
    if (!name.empty() && name.find('=') == std::string::npos && !has_nul(name) && !has_nul(value)) continue;
    return Error{ErrorCode::kInvalid,
                 "a variable for " + spec.argv.front() + " has an invalid name or contains a NUL byte"};
  }
  return {};
}

std::string supervisor_path(const SpawnSpec& spec) {
  if (!spec.supervisor.empty()) return spec.supervisor;
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).replace_filename("pipekit-supervisor").string();
}

struct Ends {
  UniqueFd ours;
  UniqueFd theirs;
};

bool open_pipe(Ends& ends) {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return false;
  ends = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  return ::fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0;
}

bool open_control(Ends& ends) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) return false;
  ends = {UniqueFd(fds[0]), UniqueFd(fds[1])};
  return true;
}

// An open file of this child's own, for reading only, which holds a shared lock until the last of its descendants has
// ended. Were it the worker's, a child could release the lock for everybody.
Result<UniqueFd> hold(int lock_fd) {
  UniqueFd file(::open(fmt::format("/proc/self/fd/{}", lock_fd).c_str(), O_RDONLY | O_CLOEXEC));
  if (file && ::flock(file.get(), LOCK_SH | LOCK_NB) == 0) return file;
  return unavailable(fmt::format("cannot lock the state directory: {}", std::strerror(errno)));
}

std::optional<Report> next_report(int control) {
  Report report{};
  const auto size = ::recv(control, &report, sizeof report, MSG_DONTWAIT);
  if (size != static_cast<ssize_t>(sizeof report)) return std::nullopt;
  return report;
}

bool wait_readable(int fd, std::chrono::milliseconds limit) {
  pollfd waited{fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&waited, 1, static_cast<int>(limit.count()));
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

Error not_started(const SpawnSpec& spec, const Report& report) {
  const auto* reason = std::strerror(report.value);
  if (report.kind == ReportKind::kCannotEnter) {
    return unavailable(fmt::format("cannot start {} in directory {}: {}", spec.argv.front(), spec.cwd, reason));
  }
  return unavailable(fmt::format("cannot execute {}: {}", spec.argv.front(), reason),
                     "check that it is installed and executable and, for a script, the program in its first line");
}

std::optional<ExitStatus> end_in(const Report& report) {
  if (report.kind == ReportKind::kExited) return ExitStatus{ExitStatus::Kind::kExited, report.value};
  if (report.kind == ReportKind::kSignalled) return ExitStatus{ExitStatus::Kind::kSignalled, report.value};
  return std::nullopt;
}

}  // namespace

std::string ExitStatus::describe() const {
  switch (kind) {
    case Kind::kExited:
      return fmt::format("exited with code {}", value);
    case Kind::kSignalled:
      return fmt::format("killed by signal {} ({})", value, ::strsignal(value));
    case Kind::kLost:
      break;
  }
  return value == 0 ? "killed with its supervisor" : fmt::format("killed with its supervisor by signal {}", value);
}

Result<Process> Process::spawn(const SpawnSpec& spec) {
  if (auto checked = check(spec); !checked) return checked.error();
  FAILPOINT("worker.spawn.before");
  Process process;
  if (auto started = process.start_supervisor(spec); !started) return started.error();
  if (auto started = process.await_start(spec); !started) return started.error();
  FAILPOINT("worker.spawn.after");
  return process;
}

Result<void> Process::start_supervisor(const SpawnSpec& spec) {
  Ends control;
  Ends out;
  Ends err;
  if (!open_control(control) || !open_pipe(out) || !open_pipe(err)) {
    return unavailable(fmt::format("cannot start {}: {}", spec.argv.front(), std::strerror(errno)));
  }
  const auto open_files = std::to_string(spec.open_files);
  CleanSpawn what{supervisor_path(spec), {"pipekit-supervisor", spec.cwd, open_files}, {}, {}};
  for (const auto& [name, value] : spec.env) what.environment.push_back(fmt::format("{}={}", name, value));
  what.argv.insert(what.argv.end(), spec.argv.begin(), spec.argv.end());
  what.files = {out.theirs.get(), err.theirs.get(), control.theirs.get()};
  static_assert(supervisor::kControlFd == 3 && supervisor::kLockFd == 4);
  UniqueFd lock;
  if (spec.lock_fd >= 0) {
    auto held = hold(spec.lock_fd);
    if (!held) return held.error();
    lock = std::move(*held);
    what.files.push_back(lock.get());
  }
  const auto pid = spawn_clean(what);
  if (!pid) return pid.error();
  supervisor_pid_ = *pid;
  control_ = std::move(control.ours);
  stdout_ = std::move(out.ours);
  stderr_ = std::move(err.ours);
  supervisor_ = open_pidfd(supervisor_pid_);
  if (supervisor_) return {};
  const int error = errno;
  control_.reset();  // its end could not be noticed, so it ends now
  ::waitpid(supervisor_pid_, nullptr, 0);
  return unavailable(fmt::format("cannot watch {}: {}", spec.argv.front(), std::strerror(error)));
}

// The control socket is readable too when the supervisor has died.
Result<void> Process::await_start(const SpawnSpec& spec) {
  if (!wait_readable(control_.get(), kStartLimit)) {
    ::syscall(SYS_pidfd_send_signal, supervisor_.get(), SIGKILL, nullptr, 0);
    return unavailable(fmt::format("{} did not start within {} s", spec.argv.front(), kStartLimit.count() / 1000));
  }
  const auto report = next_report(control_.get());
  if (!report) return unavailable("pipekit-supervisor ended before it could start " + spec.argv.front());
  if (report->kind != ReportKind::kStarted) return not_started(spec, *report);
  pid_ = report->value;
  return {};
}

Process::Process(Process&& other) noexcept = default;

Process& Process::operator=(Process&& other) noexcept {
  if (this == &other) return *this;
  destroy();
  supervisor_ = std::move(other.supervisor_);
  control_ = std::move(other.control_);
  stdout_ = std::move(other.stdout_);
  stderr_ = std::move(other.stderr_);
  supervisor_pid_ = other.supervisor_pid_;
  pid_ = other.pid_;
  status_ = other.status_;
  return *this;
}

Process::~Process() { destroy(); }

void Process::destroy() {
  if (!supervisor_ || status_) return;
  kill();
  stdout_.reset();
  stderr_.reset();
  wait_readable(supervisor_.get(), std::chrono::milliseconds{-1});
  reap();
}

void Process::terminate() {
  const char command = supervisor::kTerminate;
  static_cast<void>(::send(control_.get(), &command, 1, MSG_NOSIGNAL | MSG_DONTWAIT));
}

// End of file, as if this worker had died: it cannot be lost in a full buffer, and reports still come back.
void Process::kill() {
  ::shutdown(control_.get(), SHUT_WR);
  ::syscall(SYS_pidfd_send_signal, supervisor_.get(), SIGCONT, nullptr, 0);  // in case it was stopped
}

std::optional<ExitStatus> Process::status() {
  if (!status_ && wait_readable(supervisor_.get(), std::chrono::milliseconds{0})) reap();
  return status_;
}

void Process::reap() {
  while (const auto report = next_report(control_.get())) {
    if (const auto end = end_in(*report)) status_ = end;
  }
  if (!status_) kill_session(supervisor_pid_);  // the child died with its supervisor, its own children did not
  siginfo_t end{};
  while (::waitid(P_PIDFD, static_cast<id_t>(supervisor_.get()), &end, WEXITED) < 0 && errno == EINTR) {
  }
  if (!status_) status_ = ExitStatus{ExitStatus::Kind::kLost, end.si_code == CLD_EXITED ? 0 : end.si_status};
}

}  // namespace pipekit::worker
