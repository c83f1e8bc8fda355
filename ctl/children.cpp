#include "ctl/children.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <string_view>

namespace pipekit::ctl {
namespace {

namespace fs = std::filesystem;

std::string text_of_status(int status) {
  if (WIFEXITED(status)) return fmt::format("exited with status {}", WEXITSTATUS(status));
  return fmt::format("was killed by signal {} ({})", WTERMSIG(status), strsignal(WTERMSIG(status)));
}

bool is_program(const fs::path& path) { return access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path); }

bool is_setting(std::string_view entry) {
#ifdef PIPEKIT_FAILPOINTS
  if (entry.starts_with("PIPEKIT_FAILPOINT=") || entry.starts_with("PIPEKIT_PLANTED_FAULT=")) return false;
#endif
  return entry.starts_with("PIPEKIT_");
}

// Only its arguments decide which system a child belongs to.
std::vector<char*> without_settings() {
  std::vector<char*> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!is_setting(*entry)) kept.push_back(*entry);
  }
  kept.push_back(nullptr);
  return kept;
}

// Between fork and exec; only async-signal-safe calls.
[[noreturn]] void become(char* const* argv, char* const* environment, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);  // it died before we asked for the signal
  setpgid(0, 0);
  signal(SIGPIPE, SIG_DFL);
  execve(argv[0], argv, environment);
  _exit(127);
}

}  // namespace

Result<std::string> find_program(const std::string& name) {
  std::error_code error;
  const auto self = fs::read_symlink("/proc/self/exe", error);
  if (!error && is_program(self.parent_path() / name)) return (self.parent_path() / name).string();
  const char* path = std::getenv("PATH");  // one thread
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty() && is_program(fs::path(folder) / name)) return (fs::path(folder) / name).string();
  }
  return Error{ErrorCode::kUnavailable,
               fmt::format("{} is neither in {} nor in PATH", name, self.parent_path().string()),
               "install all of Pipekit's programs in one folder"};
}

Child::Child(std::string label, pid_t pid, UniqueFd pidfd)
    : label_(std::move(label)), pid_(pid), pidfd_(std::move(pidfd)) {}

Result<Child> Child::start(std::string label, const std::vector<std::string>& argv) {
  std::vector<char*> raw;
  for (const auto& arg : argv) raw.push_back(const_cast<char*>(arg.c_str()));  // execv promises not to write
  raw.push_back(nullptr);
  auto environment = without_settings();
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) become(raw.data(), environment.data(), parent);
  if (pid < 0) return Error{ErrorCode::kUnexpected, fmt::format("cannot start {}: {}", label, strerror(errno))};
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    return Error{ErrorCode::kUnexpected, fmt::format("cannot watch {}: {}", label, strerror(errno))};
  }
  return Child(std::move(label), pid, std::move(pidfd));
}

void Child::signal(int number) const {
  if (!ending_) kill(pid_, number);  // not reaped, so the number is still its own
}

void Child::note(int status) {
  ending_ = text_of_status(status);
  clean_ = WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::optional<std::string> Child::ended() {
  int status = 0;
  if (!ending_ && waitpid(pid_, &status, WNOHANG) == pid_) note(status);
  return ending_;
}

std::string Child::wait() {
  int status = 0;
  while (!ending_) {
    if (waitpid(pid_, &status, 0) == pid_) note(status);
  }
  return *ending_;
}

}  // namespace pipekit::ctl
