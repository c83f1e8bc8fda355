#include "worker/spawn.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace pipekit::worker {
namespace {

class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }

  void pass(const std::vector<UniqueFd>& files) {
    posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    int target = 1;
    for (const auto& file : files) posix_spawn_file_actions_adddup2(&actions_, file.get(), target++);
    posix_spawn_file_actions_addclosefrom_np(&actions_, target);
  }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class Attributes {
 public:
  Attributes() {
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_init(&attributes_);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
  }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { posix_spawnattr_destroy(&attributes_); }
  [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

Error cannot_start(const std::string& path, int error) {
  return {ErrorCode::kUnavailable, fmt::format("cannot start {}: {}", path, std::strerror(error))};
}

// Above every target number, so that no dup2 overwrites a file that a later one still needs.
Result<std::vector<UniqueFd>> out_of_the_way(const CleanSpawn& what) {
  std::vector<UniqueFd> moved;
  for (const int file : what.files) {
    moved.emplace_back(::fcntl(file, F_DUPFD_CLOEXEC, static_cast<int>(what.files.size()) + 1));
    if (!moved.back()) return cannot_start(what.path, errno);
  }
  return moved;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const auto& text : strings) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

struct ProcessStat {
  char state = 0;
  pid_t session = -1;
};

// /proc/PID/stat: pid (name) state ppid pgrp session ...; the name may hold any character.
ProcessStat stat_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  ProcessStat stat;
  pid_t parent = 0;
  pid_t group = 0;
  std::istringstream(text.substr(name_end + 1)) >> stat.state >> parent >> group >> stat.session;
  return stat;
}

bool kill_member(pid_t pid, pid_t session) {
  const auto process = open_pidfd(pid);  // first, so that what is looked at is what is killed
  if (!process) return false;
  const auto stat = stat_of(pid);
  if (stat.session != session || stat.state == 'Z') return false;
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  return true;
}

}  // namespace

Result<pid_t> spawn_clean(const CleanSpawn& what) {
  auto files = out_of_the_way(what);
  if (!files) return files.error();
  FileActions actions;
  actions.pass(*files);
  const Attributes attributes;
  const auto argv = pointers(what.argv);
  const auto environment = pointers(what.environment);
  pid_t pid = -1;
  const int error =
      ::posix_spawn(&pid, what.path.c_str(), actions.get(), attributes.get(), argv.data(), environment.data());
  if (error != 0) return cannot_start(what.path, error);
  return pid;
}

UniqueFd open_pidfd(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

void kill_session(pid_t session) {
  std::set<pid_t> killed;
  for (bool found = true; found;) {
    found = false;
    std::error_code error;
    for (std::filesystem::directory_iterator proc("/proc", error), end; !error && proc != end; proc.increment(error)) {
      const auto name = proc->path().filename().string();
      pid_t pid = 0;
      std::from_chars(name.data(), name.data() + name.size(), pid);
      if (pid <= 0 || pid == session || killed.contains(pid) || !kill_member(pid, session)) continue;
      killed.insert(pid);
      found = true;
    }
  }
}

}  // namespace pipekit::worker
