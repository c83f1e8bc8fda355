// Runs a program as a test's child: arguments, environment and stdin in; stdout, stderr and exit code out. One thread.
// A child never outlives its test: the destructor kills it, and so does the death of the test process. Every wait has a
// deadline, after which the child is killed and std::runtime_error is thrown with what it had printed.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "shared/unique_fd.h"

namespace pipekit::test {

struct ProgramOptions {
  std::vector<std::string> env{};  // "NAME=VALUE" is added to this process's environment; "NAME" alone is removed
  std::string input{};             // all of stdin
  std::filesystem::path directory{};
  std::chrono::seconds deadline{30};  // for each wait
  std::vector<std::string> within{};  // a command prefix that runs the program: NetworkNamespace::enter()
};

struct ProgramResult {
  int exit_code = 0;  // 128 + signal if a signal ended it
  std::string out;
  std::string err;
  long max_rss_kib = 0;
};

class RunningProgram {
 public:
  RunningProgram(std::string program, std::vector<std::string> args, ProgramOptions options = {});
  ~RunningProgram();
  RunningProgram(const RunningProgram&) = delete;
  RunningProgram& operator=(const RunningProgram&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // Everything printed so far.
  [[nodiscard]] const std::string& out() const { return out_.text; }
  [[nodiscard]] const std::string& err() const { return err_.text; }

  // Returns once the stream contains the text; throws if it ended without it.
  void wait_for_out(std::string_view text) { wait_for(out_, text); }
  void wait_for_err(std::string_view text) { wait_for(err_, text); }
  // Returns once a signal has stopped the child (a failpoint's `stop`).
  void wait_until_stopped();
  void signal(int number) const;
  // The child's next write gets EPIPE.
  void close_out() { out_.fd.reset(); }
  // Waits for exit and the end of both streams.
  ProgramResult wait();

 private:
  struct Stream {
    UniqueFd fd;
    std::string text;
  };
  using Deadline = std::chrono::steady_clock::time_point;

  void wait_for(Stream& stream, std::string_view text);
  void pump(Deadline deadline);
  void read_some(Stream& stream);
  void write_some();
  [[nodiscard]] Deadline next_deadline() const { return std::chrono::steady_clock::now() + options_.deadline; }
  [[noreturn]] void give_up(const std::string& what);
  void kill_and_reap();

  std::string program_;
  ProgramOptions options_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  UniqueFd pidfd_;
  UniqueFd input_;
  size_t written_ = 0;
  Stream out_;
  Stream err_;
};

ProgramResult run_program(std::string program, std::vector<std::string> args, ProgramOptions options = {});

// The path of one of Pipekit's programs.
std::string program_path(std::string_view name);

}  // namespace pipekit::test
