// pipekit-supervisor: runs one child for a worker and ends when the child and all its descendants are dead. See
// protocol.h. Single-threaded and small, since there is one for every runner; no library beyond libc.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "shared/standard_fds.h"
#include "worker/supervisor/descendants.h"
#include "worker/supervisor/protocol.h"

namespace pipekit::supervisor {
namespace {

struct Child {
  pid_t pid = -1;
  int start_fd = -1;  // a Report of what prevented the exec, or EOF when it succeeded; -1 once that is known
};

// If the worker is gone, nobody reads it.
void report(ReportKind kind, int value) {
  const Report packet{kind, value};
  static_cast<void>(::send(kControlFd, &packet, sizeof packet, MSG_NOSIGNAL | MSG_DONTWAIT));
}

void report_end(const siginfo_t& end) {
  report(end.si_code == CLD_EXITED ? ReportKind::kExited : ReportKind::kSignalled, end.si_status);
}

[[noreturn]] void give_up(int start_fd, ReportKind kind) {
  const Report why{kind, errno};
  static_cast<void>(!::write(start_fd, &why, sizeof why));
  ::_exit(127);
}

// posix_spawn leaves the two signals that libc keeps for itself ignored, and sigaction refuses to touch them.
void reset_signals() {
  constexpr long kDefault[8] = {};  // no handler, no flags, no mask, in the kernel's own layout
  for (int signal = 1; signal <= 64; ++signal) ::syscall(SYS_rt_sigaction, signal, kDefault, nullptr, 8);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// A core file would hold the passwords in the environment.
void forbid_core_files() {
  constexpr rlimit kNone{0, 0};
  static_cast<void>(::setrlimit(RLIMIT_CORE, &kNone));
}

void limit_open_files(rlim_t limit) {
  rlimit files{};
  if (limit == 0 || ::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = limit;
  static_cast<void>(::setrlimit(RLIMIT_NOFILE, &files));
}

[[noreturn]] void become_child(char** argv, pid_t supervisor, int start_fd) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(127);  // it died before the line above
  reset_signals();
  if (argv[1][0] != '\0' && ::chdir(argv[1]) != 0) give_up(start_fd, ReportKind::kCannotEnter);
  limit_open_files(std::strtoull(argv[2], nullptr, 10));
  ::close_range(kLockFd + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execvp(argv[3], argv + 3);
  give_up(start_fd, ReportKind::kCannotExecute);
}

// The output belongs to the child alone from here on, or its readers would never see the end of it.
void let_go_of_output() {
  ::dup2(STDIN_FILENO, STDOUT_FILENO);
  ::dup2(STDIN_FILENO, STDERR_FILENO);
}

bool start(char** argv, Child& child) {
  int start_pipe[2];
  if (::pipe2(start_pipe, O_CLOEXEC) != 0) return false;
  const pid_t supervisor = ::getpid();
  child.pid = ::fork();
  if (child.pid < 0) return false;
  if (child.pid == 0) become_child(argv, supervisor, start_pipe[1]);
  ::setpgid(child.pid, child.pid);  // both sides do it: neither may go on before it is done
  ::close(start_pipe[1]);
  child.start_fd = start_pipe[0];
  let_go_of_output();
  return true;
}

void report_start(Child& child) {
  Report why{};
  const bool failed = ::read(child.start_fd, &why, sizeof why) == sizeof why;
  report(failed ? why.kind : ReportKind::kStarted, failed ? why.value : child.pid);
  ::close(child.start_fd);
  child.start_fd = -1;
}

// False: everything is to be killed.
bool obey(pid_t child) {
  char command = 0;
  const ssize_t size = ::recv(kControlFd, &command, 1, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (size != 1 || command != kTerminate) return false;
  ::kill(-child, SIGTERM);
  ::kill(-child, SIGCONT);  // a stopped child could not act on it
  return true;
}

void supervise(Child& child, int signals) {
  for (;;) {
    pollfd fds[] = {{kControlFd, POLLIN, 0}, {signals, POLLIN, 0}, {child.start_fd, POLLIN, 0}};
    if (::poll(fds, 3, -1) < 0) continue;
    if (fds[2].revents != 0) report_start(child);
    if (fds[1].revents != 0) {
      signalfd_siginfo ignored;
      static_cast<void>(!::read(signals, &ignored, sizeof ignored));
      if (child_has_ended(child.pid)) break;
    }
    if (fds[0].revents != 0 && !obey(child.pid)) break;
  }
  if (child.start_fd >= 0 && child_has_ended(child.pid)) report_start(child);
}

int open_signals() {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  sigset_t child_ended;
  sigemptyset(&child_ended);
  sigaddset(&child_ended, SIGCHLD);
  return ::signalfd(-1, &child_ended, SFD_CLOEXEC | SFD_NONBLOCK);
}

int run(char** argv) {
  Child child;
  ::fcntl(kControlFd, F_SETFD, FD_CLOEXEC);
  forbid_core_files();
  ::prctl(PR_SET_DUMPABLE, 0);  // nor can others of this user read the environment from /proc
  const int signals = open_signals();
  if (signals < 0 || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 || !start(argv, child)) {
    report(ReportKind::kCannotExecute, errno);
    return 1;
  }
  supervise(child, signals);
  kill_descendants(child.pid, report_end);
  return 0;
}

bool called_by_worker(int argc) {
  int type = 0;
  socklen_t size = sizeof type;
  return argc >= 4 && ::getsockopt(kControlFd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

}  // namespace
}  // namespace pipekit::supervisor

int main(int argc, char** argv) {
  pipekit::open_standard_fds();
  if (argc == 2 && std::strcmp(argv[1], "--version") == 0) return std::puts("pipekit-supervisor " PIPEKIT_VERSION) < 0;
  if (!pipekit::supervisor::called_by_worker(argc)) {
    std::fputs("error: pipekit-supervisor is started by pipekit-worker, once for each runner\n", stderr);
    return 2;
  }
  ::_exit(pipekit::supervisor::run(argv));
}
