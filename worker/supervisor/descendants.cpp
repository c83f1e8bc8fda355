#include "worker/supervisor/descendants.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace pipekit::supervisor {
namespace {

// Field 4 of /proc/PID/stat; the name before it is in parentheses and may hold any character.
pid_t parent_of(const char* pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  char text[512];
  const ssize_t size = ::read(fd, text, sizeof text - 1);
  ::close(fd);
  if (size <= 0) return -1;
  text[size] = '\0';
  const char* name_end = std::strrchr(text, ')');
  if (name_end == nullptr || std::strlen(name_end) < 5) return -1;
  return static_cast<pid_t>(std::strtol(name_end + 4, nullptr, 10));
}

// Only this process reaps its children, so the number of one cannot have passed to another process meanwhile.
void kill_children() {
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return;
  const pid_t self = ::getpid();
  while (const dirent* entry = ::readdir(proc)) {
    if (entry->d_name[0] < '1' || entry->d_name[0] > '9') continue;
    if (parent_of(entry->d_name) == self) ::kill(static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10)), SIGKILL);
  }
  ::closedir(proc);
}

enum class Children { kEnded, kAlive, kNone };

// kEnded: one of them, left as a zombie, is in `end`. kAlive, without blocking only: none has ended. kNone: every
// process that descends from this one is gone, since an orphan becomes a child of this one in the moment in which its
// parent ends.
Children next_ended(siginfo_t& end, int flags) {
  for (;;) {
    end = siginfo_t{};
    if (::waitid(P_ALL, 0, &end, WEXITED | WNOWAIT | __WALL | flags) == 0) {
      return end.si_pid != 0 ? Children::kEnded : Children::kAlive;
    }
    if (errno != EINTR) return Children::kNone;
  }
}

void reap(pid_t pid) {
  while (::waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

}  // namespace

bool child_has_ended(pid_t child) {
  siginfo_t end;
  while (next_ended(end, WNOHANG) == Children::kEnded) {
    if (end.si_pid == child) return true;
    reap(end.si_pid);
  }
  return false;
}

// Killing the group is one atomic step that no fork in it survives. Processes that left the group are found as
// children of this process, at once or when their parent has died: each death is followed by another look before
// waiting again, and a process that was missed because it got a new parent during the look had a parent whose death is
// yet to be reported.
void kill_descendants(pid_t child, void (*on_child)(const siginfo_t& end)) {
  ::kill(-child, SIGKILL);
  siginfo_t end;
  for (;;) {
    auto children = next_ended(end, WNOHANG);
    if (children == Children::kAlive) {
      kill_children();
      children = next_ended(end, 0);
    }
    if (children == Children::kNone) return;
    if (end.si_pid == child) on_child(end);
    reap(end.si_pid);
  }
}

}  // namespace pipekit::supervisor
