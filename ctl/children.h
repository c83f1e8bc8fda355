// Child programs that end with this process: started in its foreground, killed by the kernel when it dies. One thread,
// the one that started them (a parent-death signal follows the thread).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "shared/error.h"
#include "shared/unique_fd.h"

namespace pipekit::ctl {

// In the directory of this program, else in PATH; kUnavailable if it is in neither.
Result<std::string> find_program(const std::string& name);

class Child {
 public:
  // `label` is for people. The child has its own process group, so that a terminal's Ctrl-C reaches only us.
  static Result<Child> start(std::string label, const std::vector<std::string>& argv);
  Child(Child&&) = default;
  Child& operator=(Child&&) = default;

  void signal(int number) const;
  // Reaps it when it has ended: "exited with status 3", "was killed by signal 9"; nullopt while it lives.
  std::optional<std::string> ended();
  // As ended() but waits.
  std::string wait();

  [[nodiscard]] int fd() const { return pidfd_.get(); }  // readable when it has ended
  [[nodiscard]] const std::string& label() const { return label_; }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool alive() const { return !ending_; }
  [[nodiscard]] bool clean() const { return clean_; }  // it exited with 0

 private:
  Child(std::string label, pid_t pid, UniqueFd pidfd);
  void note(int status);

  std::string label_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  std::optional<std::string> ending_;
  bool clean_ = false;
};

}  // namespace pipekit::ctl
