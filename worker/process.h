// One child program, from spawn to proven death. The child runs under pipekit-supervisor
// (worker/supervisor/protocol.h), which kills it and all its descendants on command, when the child ends by itself, and
// when this worker dies.
//
// Any thread may spawn; a Process then belongs to one thread at a time. The owner polls the three fds:
//   stdout_fd, stderr_fd  non-blocking; read until EOF. Leave one unread and the child waits in its write.
//   exit_fd               readable when the child and every descendant are dead. Then status() is set, and what the
//                         pipes still hold ends in EOF (or, for kLost only, in EAGAIN: stop reading there too).
// stdin of the child is /dev/null. spawn returns kUnavailable when the program or the supervisor cannot be executed
// (missing, not executable, no descriptors or processes left: one run fails, the others continue), and kInvalid for
// arguments that no program can receive.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shared/error.h"
#include "shared/unique_fd.h"
#include "worker/child_environment.h"

namespace pipekit::worker {

struct SpawnSpec {
  std::vector<std::string> argv;  // argv[0] with a slash is a path, else searched in PATH
  Variables env{};                // all of the child's environment
  std::string cwd{};              // empty: the worker's own
  int lock_fd = -1;               // StateDir::children_fd(): held, shared, by all descendants
  std::string supervisor{};       // empty: pipekit-supervisor beside this program
  rlim_t open_files = 0;          // the child's soft limit; 0: the worker's own
};

struct ExitStatus {
  enum class Kind {
    kExited,     // value: exit code
    kSignalled,  // value: signal number
    kLost,       // the supervisor was killed before it could report; the child died with it. value: its signal, or 0
  };
  Kind kind = Kind::kLost;
  int value = 0;

  [[nodiscard]] bool success() const { return kind == Kind::kExited && value == 0; }
  // "exited with code 3", "killed by signal 9 (Killed)", "killed with its supervisor"
  [[nodiscard]] std::string describe() const;
  bool operator==(const ExitStatus&) const = default;
};

class Process {
 public:
  // Returns when the program has been executed, so a missing one is an error here and not an exit code.
  static Result<Process> spawn(const SpawnSpec& spec);

  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  // Kills and waits until all are dead. A process stuck in the kernel delays it, so wait on exit_fd() before.
  ~Process();

  [[nodiscard]] int stdout_fd() const { return stdout_.get(); }
  [[nodiscard]] int stderr_fd() const { return stderr_.get(); }
  [[nodiscard]] int exit_fd() const { return supervisor_.get(); }
  [[nodiscard]] pid_t pid() const { return pid_; }  // for logs only; the child is its process group's leader

  // SIGTERM to the child's process group. Neither blocks; both are harmless when the child has ended.
  void terminate();
  // SIGKILL to the child and all its descendants, whatever group or session they moved to.
  void kill();

  // Nothing until exit_fd() is readable. Does not block then, and reaps.
  [[nodiscard]] std::optional<ExitStatus> status();

 private:
  Process() = default;
  Result<void> start_supervisor(const SpawnSpec& spec);
  Result<void> await_start(const SpawnSpec& spec);
  void reap();
  void destroy();

  UniqueFd supervisor_;  // pidfd; empty in a moved-from Process
  UniqueFd control_;     // our death closes it too, and that ends the child
  UniqueFd stdout_;
  UniqueFd stderr_;
  pid_t supervisor_pid_ = -1;
  pid_t pid_ = -1;
  std::optional<ExitStatus> status_;
};

}  // namespace pipekit::worker
