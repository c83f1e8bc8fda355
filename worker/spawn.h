// posix_spawn for programs that must inherit nothing by accident. Safe in a process with threads.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "shared/error.h"
#include "shared/unique_fd.h"

namespace pipekit::worker {

// What the program gets: files[i] as descriptor i + 1 (after /dev/null as 0) and no other; a session of its own; every
// signal default and blocked. files may be close-on-exec and stay the caller's.
struct CleanSpawn {
  std::string path;
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // "NAME=value"
  std::vector<int> files;
};

// The pid, or errno as the text of an Error kUnavailable that names the path.
Result<pid_t> spawn_clean(const CleanSpawn& what);

// pidfd_open(2), close-on-exec; readable when the process has ended.
UniqueFd open_pidfd(pid_t pid);

// SIGKILL to every process of the session except its leader, until there is no new one. The leader must be our child
// and not reaped: while it is a zombie, its number cannot be another session's.
void kill_session(pid_t session);

}  // namespace pipekit::worker
