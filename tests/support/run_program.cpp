#include "tests/support/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace pipekit::test {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

[[noreturn]] void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

Pipe make_pipe() {
  std::array<int, 2> fds{};
  if (::pipe2(fds.data(), O_CLOEXEC) != 0) throw_errno("pipe2");
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

void set_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

bool same_name(std::string_view entry, std::string_view other) {
  return entry.substr(0, entry.find('=')) == other.substr(0, other.find('='));
}

std::vector<std::string> environment(const std::vector<std::string>& changes) {
  std::vector<std::string> result;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    bool changed = false;
    for (const auto& change : changes) changed = changed || same_name(*entry, change);
    if (!changed) result.emplace_back(*entry);
  }
  for (const auto& change : changes) {
    if (change.find('=') != std::string::npos) result.push_back(change);
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  result.reserve(strings.size() + 1);
  for (auto& text : strings) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

// After fork: only async-signal-safe calls.
[[noreturn]] void become(const char* directory, pid_t parent, std::array<int, 3> fds, char* const* argv,
                         char* const* envp) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  for (int i = 0; i < 3; ++i) ::dup2(fds[static_cast<size_t>(i)], i);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (*directory != '\0' && ::chdir(directory) != 0) ::_exit(127);
  ::execvpe(argv[0], argv, envp);
  ::_exit(127);
}

int poll_timeout(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return left.count() <= 0 ? 0 : static_cast<int>(left.count());
}

}  // namespace

RunningProgram::RunningProgram(std::string program, std::vector<std::string> args, ProgramOptions options)
    : program_(std::move(program)), options_(std::move(options)) {
  ::signal(SIGPIPE, SIG_IGN);  // a child that does not read its stdin must not kill the test
  auto in = make_pipe();
  auto out = make_pipe();
  auto err = make_pipe();
  args.insert(args.begin(), program_);
  args.insert(args.begin(), options_.within.begin(), options_.within.end());
  auto env = environment(options_.env);
  const auto argv = pointers(args);
  const auto envp = pointers(env);
  const auto directory = options_.directory.string();
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw_errno("fork");
  if (pid_ == 0) {
    become(directory.c_str(), parent, {in.read.get(), out.write.get(), err.write.get()}, argv.data(), envp.data());
  }
  pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  input_ = std::move(in.write);
  out_.fd = std::move(out.read);
  err_.fd = std::move(err.read);
  for (const int fd : {input_.get(), out_.fd.get(), err_.fd.get()}) set_nonblocking(fd);
  if (options_.input.empty()) input_.reset();
}

RunningProgram::~RunningProgram() { kill_and_reap(); }

void RunningProgram::kill_and_reap() {
  if (reaped_ || pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  reaped_ = true;
}

void RunningProgram::give_up(const std::string& what) {
  kill_and_reap();
  throw std::runtime_error(program_ + ": " + what + "\nstdout: " + out_.text + "\nstderr: " + err_.text);
}

void RunningProgram::signal(int number) const {
  if (!reaped_) ::kill(pid_, number);
}

void RunningProgram::read_some(Stream& stream) {
  std::array<char, 65536> buffer{};
  const auto n = ::read(stream.fd.get(), buffer.data(), buffer.size());
  if (n > 0) stream.text.append(buffer.data(), static_cast<size_t>(n));
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) stream.fd.reset();
}

void RunningProgram::write_some() {
  const auto n = ::write(input_.get(), options_.input.data() + written_, options_.input.size() - written_);
  if (n > 0) written_ += static_cast<size_t>(n);
  const bool broken = n < 0 && errno != EAGAIN && errno != EINTR;
  if (broken || written_ == options_.input.size()) input_.reset();
}

void RunningProgram::pump(Deadline deadline) {
  const bool streams_open = out_.fd || err_.fd;
  std::array<pollfd, 4> fds{{{out_.fd.get(), POLLIN, 0},
                             {err_.fd.get(), POLLIN, 0},
                             {input_.get(), POLLOUT, 0},
                             {streams_open ? -1 : pidfd_.get(), POLLIN, 0}}};
  const int ready = ::poll(fds.data(), fds.size(), poll_timeout(deadline));
  if (ready < 0 && errno != EINTR) throw_errno("poll");
  if (ready == 0) give_up("no end within the deadline");
  if (ready < 0) return;
  if (fds[0].revents != 0) read_some(out_);
  if (fds[1].revents != 0) read_some(err_);
  if (fds[2].revents != 0) write_some();
}

void RunningProgram::wait_for(Stream& stream, std::string_view text) {
  const auto deadline = next_deadline();
  while (stream.text.find(text) == std::string::npos) {
    if (!stream.fd) give_up("ended without printing \"" + std::string(text) + "\"");
    pump(deadline);
  }
}

void RunningProgram::wait_until_stopped() {
  int status = 0;
  if (::waitpid(pid_, &status, WUNTRACED) < 0) throw_errno("waitpid");
  if (WIFSTOPPED(status)) return;
  reaped_ = true;
  const auto deadline = next_deadline();
  while (out_.fd || err_.fd) pump(deadline);
  give_up("ended instead of stopping");
}

ProgramResult RunningProgram::wait() {
  const auto deadline = next_deadline();
  while (out_.fd || err_.fd) pump(deadline);
  std::array<pollfd, 1> exited{{{pidfd_.get(), POLLIN, 0}}};
  while (::poll(exited.data(), 1, poll_timeout(deadline)) < 0 && errno == EINTR) {
  }
  if (exited[0].revents == 0) give_up("closed its streams but did not exit within the deadline");
  int status = 0;
  rusage usage{};
  if (::wait4(pid_, &status, 0, &usage) != pid_) throw_errno("wait4");
  reaped_ = true;
  return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), out_.text, err_.text, usage.ru_maxrss};
}

ProgramResult run_program(std::string program, std::vector<std::string> args, ProgramOptions options) {
  return RunningProgram(std::move(program), std::move(args), std::move(options)).wait();
}

std::string program_path(std::string_view name) { return std::string(PIPEKIT_BIN_DIR) + "/" + std::string(name); }

}  // namespace pipekit::test
