#include "worker/process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "worker/head_tail.h"
#include "worker/line_splitter.h"
#include "worker/spawn.h"
#include "worker/state_dir.h"

namespace pipekit::worker {
namespace {

using namespace std::chrono_literals;
using Kind = ExitStatus::Kind;

bool is_gone(pid_t pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

struct Output {
  std::string out;
  std::string err;
};

// Reads the available data; false at EOF.
bool read_some(int fd, std::string& into) {
  std::array<char, 65536> block;
  const auto size = ::read(fd, block.data(), block.size());
  if (size > 0) into.append(block.data(), static_cast<std::size_t>(size));
  return size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR));
}

void wait_for(int fd) {
  pollfd waited{fd, POLLIN, 0};
  ASSERT_EQ(::poll(&waited, 1, 60'000), 1);
}

// Reads both pipes to EOF: if any descendant survived with one of them, this would not return.
ExitStatus drain(Process& process, Output& output) {
  std::array<pollfd, 2> pipes{{{process.stdout_fd(), POLLIN, 0}, {process.stderr_fd(), POLLIN, 0}}};
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    if (::poll(pipes.data(), pipes.size(), 60'000) <= 0) ADD_FAILURE() << "a pipe never ends";
    if (pipes[0].revents != 0 && !read_some(pipes[0].fd, output.out)) pipes[0].fd = -1;
    if (pipes[1].revents != 0 && !read_some(pipes[1].fd, output.err)) pipes[1].fd = -1;
  }
  wait_for(process.exit_fd());
  return process.status().value_or(ExitStatus{Kind::kLost, -1});
}

class ProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "pipekit-process-XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    ASSERT_EQ(::mkfifo(fifo().c_str(), 0600), 0);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  [[nodiscard]] std::string fifo() const { return dir_ / "fifo"; }

  // A script may use $FIFO.
  [[nodiscard]] SpawnSpec shell(const std::string& script) const {
    return {.argv = {"/bin/sh", "-c", script}, .env = {{"FIFO", fifo()}}};
  }
  [[nodiscard]] Process start(const std::string& script) const {
    auto process = Process::spawn(shell(script));
    if (!process) throw std::runtime_error(process.error().message);
    return std::move(*process);
  }
  // The first line, as numbers: usually pids.
  static std::vector<pid_t> first_line(Process& process) {
    std::string text;
    while (text.find('\n') == std::string::npos) {
      wait_for(process.stdout_fd());
      if (!read_some(process.stdout_fd(), text)) break;
    }
    std::vector<pid_t> numbers;
    std::istringstream line(text);
    for (pid_t number = 0; line >> number;) numbers.push_back(number);
    return numbers;
  }

  std::filesystem::path dir_;
};

TEST_F(ProcessTest, output_arrives_while_the_child_runs) {
  auto process = start("echo 1; echo warning >&2; read go < $FIFO; echo two");
  EXPECT_THAT(first_line(process), ::testing::ElementsAre(1));
  EXPECT_EQ(process.status(), std::nullopt);
  std::ofstream(fifo()) << "go\n";
  Output output;
  EXPECT_TRUE(drain(process, output).success());
  EXPECT_EQ(output.out, "two\n");
  EXPECT_EQ(output.err, "warning\n");
}

TEST_F(ProcessTest, exit_codes_and_signals_are_told_apart) {
  struct Case {
    std::string script;
    ExitStatus status;
    std::string text;
  };
  for (const auto& [script, status, text] :
       std::vector<Case>{{"exit 0", {Kind::kExited, 0}, "exited with code 0"},
                         {"exit 3", {Kind::kExited, 3}, "exited with code 3"},
                         {"exit 127", {Kind::kExited, 127}, "exited with code 127"},
                         {"kill -TERM $$", {Kind::kSignalled, SIGTERM}, "killed by signal 15 (Terminated)"},
                         {"kill -KILL $$", {Kind::kSignalled, SIGKILL}, "killed by signal 9 (Killed)"}}) {
    auto process = start(script);
    Output output;
    EXPECT_EQ(drain(process, output), status) << script;
    EXPECT_EQ(process.status()->describe(), text);
  }
}

TEST_F(ProcessTest, a_program_that_cannot_be_executed_is_refused_by_name) {
  const auto plain = dir_ / "plain";
  std::ofstream(plain) << "not a program";
  auto refused = [](const SpawnSpec& spec, ErrorCode code, const std::string& text) {
    const auto process = Process::spawn(spec);
    ASSERT_FALSE(process) << text;
    EXPECT_EQ(process.error().code, code) << text;
    EXPECT_THAT(process.error().message, ::testing::HasSubstr(text));
  };
  refused({.argv = {"/no/such/runner", "-x"}}, ErrorCode::kUnavailable,
          "cannot execute /no/such/runner: No such file or directory");
  refused({.argv = {"pipekit-no-such-runner"}}, ErrorCode::kUnavailable, "cannot execute pipekit-no-such-runner");
  refused({.argv = {plain}}, ErrorCode::kUnavailable, "Permission denied");
  refused({.argv = {"/bin/true"}, .cwd = "/no/such/place"}, ErrorCode::kUnavailable,
          "cannot start /bin/true in directory /no/such/place");
  refused({.argv = {"/bin/true"}, .supervisor = "/no/such/supervisor"}, ErrorCode::kUnavailable, "/no/such/supervisor");
  refused({.argv = {"/bin/true"}, .supervisor = "/bin/true"}, ErrorCode::kUnavailable, "ended before it could start");
  refused({.argv = {"/bin/true", std::string("a\0b", 3)}}, ErrorCode::kInvalid, "NUL");
  refused({.argv = {"/bin/true"}, .env = {{"A=B", "c"}}}, ErrorCode::kInvalid, "variable");
  refused({.argv = {}}, ErrorCode::kInvalid, "no program");
}

TEST_F(ProcessTest, the_child_gets_its_environment_directory_and_an_empty_stdin) {
  ::setenv("PIPEKIT_TEST_OLD", "worker's", 1);
  ::setenv("PIPEKIT_TEST_KEPT", "kept", 1);
  auto process = Process::spawn({.argv = {"sh", "-c", "cat; pwd; echo $PIPEKIT_TEST_OLD; env | grep -c PIPEKIT_TEST"},
                                 .env = {{"PIPEKIT_TEST_OLD", "run's"}},
                                 .cwd = dir_});
  ASSERT_TRUE(process);
  Output output;
  EXPECT_TRUE(drain(*process, output).success());
  EXPECT_EQ(output.out, std::filesystem::canonical(dir_).string() + "\nrun's\n1\n");
}

TEST_F(ProcessTest, the_child_inherits_no_signals_and_no_files) {
  const UniqueFd careless(::open("/dev/null", O_RDONLY));  // not close-on-exec, as a library may leave it
  const UniqueFd lock(::open((dir_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto old = ::signal(SIGPIPE, SIG_IGN);
  auto spec = shell("ls /proc/$$/fd; while read name value; do echo $name $value; done < /proc/$$/status");
  auto without_lock = Process::spawn(spec);
  spec.lock_fd = lock.get();
  auto with_lock = Process::spawn(spec);
  ::signal(SIGPIPE, old);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  Output output;
  EXPECT_TRUE(drain(*without_lock, output).success());
  EXPECT_THAT(output.out, ::testing::StartsWith("0\n1\n2\nName:"));
  EXPECT_THAT(output.out, ::testing::HasSubstr("SigBlk: 0000000000000000\n"));
  EXPECT_THAT(output.out, ::testing::ContainsRegex("SigIgn: [0-9a-f]{8}00000000\n"));  // above: libc's own, if any
  output = {};
  EXPECT_TRUE(drain(*with_lock, output).success());
  EXPECT_THAT(output.out, ::testing::StartsWith("0\n1\n2\n4\nName:"));
}

TEST_F(ProcessTest, the_child_leaves_no_core_file) {
  auto process = start("ulimit -Hc; ulimit -Sc; grep -h 'core file' /proc/$$/limits /proc/$PPID/limits");
  Output output;
  EXPECT_TRUE(drain(process, output).success());
  EXPECT_THAT(output.out, ::testing::MatchesRegex("0\n0\n([^\n]* 0 +0 +bytes *\n){2}"));
}

TEST_F(ProcessTest, the_lock_of_a_child_can_be_neither_written_nor_released_for_others) {
  const auto file = dir_ / "lock";
  const UniqueFd lock(::open(file.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  const auto is_free = [&] {
    const UniqueFd other(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    return ::flock(other.get(), LOCK_EX | LOCK_NB) == 0;
  };
  auto holding = shell("echo 1; read go < $FIFO");
  holding.lock_fd = lock.get();
  auto holder = Process::spawn(holding);
  ASSERT_TRUE(holder);
  first_line(*holder);
  auto releasing = shell("flock -u 4; echo x >&4 && exit 1; exec 4<&-; exit 0");
  releasing.lock_fd = lock.get();
  auto process = Process::spawn(releasing);
  ASSERT_TRUE(process);
  Output output;
  EXPECT_TRUE(drain(*process, output).success());
  EXPECT_EQ(std::filesystem::file_size(file), 0U);
  EXPECT_FALSE(is_free());
  holder->kill();
  drain(*holder, output);
  EXPECT_TRUE(is_free());
}

TEST_F(ProcessTest, the_child_is_out_of_reach_of_the_terminal) {
  auto process = start("echo $PPID; read go < $FIFO");
  const auto supervisor = first_line(process).at(0);
  EXPECT_EQ(::getpgid(process.pid()), process.pid());
  EXPECT_EQ(::getsid(process.pid()), supervisor);
  EXPECT_EQ(::getsid(supervisor), supervisor);
  EXPECT_NE(::getsid(0), supervisor);
}

TEST_F(ProcessTest, terminate_lets_the_child_end_in_its_own_way) {
  auto process = start("trap 'exit 7' TERM; sleep 1000 & echo 1; wait; exit 1");
  first_line(process);
  process.terminate();
  Output output;
  EXPECT_EQ(drain(process, output), (ExitStatus{Kind::kExited, 7}));
  process.terminate();
  process.kill();  // has no effect now
}

TEST_F(ProcessTest, terminate_reaches_a_stopped_child) {
  auto process = start("trap 'exit 7' TERM; sleep 1000 & echo 1; wait; exit 1");
  first_line(process);
  ::kill(process.pid(), SIGSTOP);
  process.terminate();
  Output output;
  EXPECT_EQ(drain(process, output), (ExitStatus{Kind::kExited, 7}));
}

TEST_F(ProcessTest, kill_ends_a_group_that_ignores_sigterm) {
  auto process = start("trap 'echo 2' TERM; (trap '' TERM; exec sleep 1000) & echo 1; while :; do wait; done");
  EXPECT_THAT(first_line(process), ::testing::ElementsAre(1));
  process.terminate();
  EXPECT_THAT(first_line(process), ::testing::ElementsAre(2));
  EXPECT_EQ(process.status(), std::nullopt);
  process.kill();
  Output output;
  EXPECT_EQ(drain(process, output), (ExitStatus{Kind::kSignalled, SIGKILL}));
}

// Leaves a process in a separate session that keeps the output open; prints its pid.
constexpr auto kDaemon =
    R"(setsid sh -c 'sh -c "echo \$\$ > $FIFO; exec sleep 1000" & exit' & read pid < $FIFO; echo $pid; )";

TEST_F(ProcessTest, a_daemon_left_behind_dies_when_the_child_exits) {
  auto process = start(std::string(kDaemon) + "exit 5");
  const auto daemon = first_line(process).at(0);
  Output output;
  EXPECT_EQ(drain(process, output), (ExitStatus{Kind::kExited, 5}));
  EXPECT_TRUE(is_gone(daemon));
}

TEST_F(ProcessTest, a_daemon_left_behind_dies_with_kill) {
  auto process = start(std::string(kDaemon) + "sleep 1000");
  const auto daemon = first_line(process).at(0);
  process.kill();
  Output output;
  EXPECT_EQ(drain(process, output), (ExitStatus{Kind::kSignalled, SIGKILL}));
  EXPECT_TRUE(is_gone(daemon));
}

TEST_F(ProcessTest, many_descendants_in_many_sessions_all_die) {
  auto process = start("for i in $(seq 60); do setsid sh -c 'sleep 1000 & sleep 1000' & done; exit 0");
  Output output;
  EXPECT_TRUE(drain(process, output).success());
}

TEST_F(ProcessTest, orphans_that_end_by_themselves_do_not_end_the_child) {
  auto process = start("for i in 1 2 3 4 5; do (true &) ; done; (echo go > $FIFO &); read x < $FIFO; exit 6");
  Output output;
  EXPECT_EQ(drain(process, output), (ExitStatus{Kind::kExited, 6}));
}

TEST_F(ProcessTest, the_end_of_a_process_object_is_the_end_of_its_processes) {
  pid_t daemon = 0;
  pid_t child = 0;
  {
    auto process = start(std::string(kDaemon) + "sleep 1000");
    daemon = first_line(process).at(0);
    child = process.pid();
    auto moved = std::move(process);
    moved = start("true");
    EXPECT_TRUE(is_gone(child));
    EXPECT_TRUE(is_gone(daemon));
    child = moved.pid();
  }
  EXPECT_TRUE(is_gone(child));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);  // nor is there a zombie
}

TEST_F(ProcessTest, kill_reaches_through_a_stopped_supervisor) {
  auto process = start("echo $PPID; sleep 1000");
  ::kill(first_line(process).at(0), SIGSTOP);
  process.kill();
  Output output;
  EXPECT_EQ(drain(process, output), (ExitStatus{Kind::kSignalled, SIGKILL}));
}

TEST_F(ProcessTest, a_killed_supervisor_takes_its_session_with_it) {
  auto process = start("sleep 1000 & echo $PPID $!; wait");
  const auto pids = first_line(process);
  const auto child = open_pidfd(process.pid());
  const auto grandchild = open_pidfd(pids.at(1));
  ::kill(pids.at(0), SIGKILL);
  wait_for(process.exit_fd());
  wait_for(child.get());
  EXPECT_EQ(process.status(), (ExitStatus{Kind::kLost, SIGKILL}));
  EXPECT_EQ(process.status()->describe(), "killed with its supervisor by signal 9");
  wait_for(grandchild.get());
}

TEST_F(ProcessTest, threads_spawn_at_the_same_time_without_sharing_pipes) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      for (int i = 0; i < 15; ++i) {
        const auto text = std::to_string(t * 100 + i);
        auto process = start("echo " + text);
        Output output;
        EXPECT_TRUE(drain(process, output).success());
        EXPECT_EQ(output.out, text + "\n");
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

long peak_memory_kib() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST_F(ProcessTest, a_hundred_megabytes_of_output_take_bounded_memory) {
  const auto before = peak_memory_kib();
  auto process = start("head -c 60000000 /dev/zero; echo; yes 'a line of chatter' | head -c 40000000");
  LineSplitter splitter;
  HeadTail kept(100'000, 100'000);
  const auto sink = [&](const std::string& line) { kept.add_line(line); };
  std::size_t total = 0;
  for (bool open = true; open;) {
    std::string block;
    wait_for(process.stdout_fd());
    open = read_some(process.stdout_fd(), block);
    total += block.size();
    splitter.feed(block, sink);
  }
  splitter.finish(sink);
  wait_for(process.exit_fd());
  EXPECT_TRUE(process.status()->success());
  EXPECT_EQ(total, 100'000'001U);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(peak_memory_kib() - before, 16 * 1024);
#else
  static_cast<void>(before);
#endif
}

class WorkerDeathTest : public ProcessTest {
 protected:
  // A worker that holds the state directory, has started the script, and waits to be killed. Returns its pid once the
  // script has written its line to the fifo.
  pid_t start_worker(const std::string& script, std::vector<pid_t>& script_pids) {
    const pid_t worker = ::fork();
    if (worker == 0) {
      auto state = StateDir::open(dir_ / "state", 0ms);
      auto spec = shell(script);
      spec.lock_fd = state ? state->children_fd() : -1;
      auto process = Process::spawn(spec);
      if (process) ::pause();
      ::_exit(1);
    }
    std::ifstream line(fifo());
    for (pid_t pid = 0; line >> pid;) script_pids.push_back(pid);
    return worker;
  }
};

TEST_F(WorkerDeathTest, the_lock_comes_free_when_every_child_of_a_killed_worker_is_dead) {
  std::vector<pid_t> pids;
  const auto worker =
      start_worker("trap '' TERM; setsid sleep 1000 & a=$!; sleep 1000 & echo $$ $PPID $a $! > $FIFO; wait", pids);
  ASSERT_EQ(pids.size(), 4U);
  const auto refused = StateDir::open(dir_ / "state", 0ms);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, ::testing::EndsWith("is in use by worker pid " + std::to_string(worker)));
  ::kill(worker, SIGKILL);
  ::waitpid(worker, nullptr, 0);
  const auto state = StateDir::open(dir_ / "state", 60s);
  ASSERT_TRUE(state) << state.error().message;
  for (const auto pid : {pids[0], pids[2], pids[3]}) EXPECT_TRUE(is_gone(pid)) << pid;
  if (const auto supervisor = open_pidfd(pids[1])) wait_for(supervisor.get());  // its files close just before it ends
}

TEST_F(WorkerDeathTest, a_child_that_outlives_its_supervisor_keeps_the_lock) {
  std::vector<pid_t> pids;
  const auto worker = start_worker("setsid sleep 1000 & echo $PPID $! > $FIFO; wait", pids);
  ASSERT_EQ(pids.size(), 2U);
  ::kill(worker, SIGSTOP);   // otherwise it would see what happens next
  ::kill(pids[0], SIGKILL);  // kills the shell too, but not processes that left the session
  ::kill(worker, SIGKILL);
  ::waitpid(worker, nullptr, 0);
  const auto refused = StateDir::open(dir_ / "state", 1ms);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, ::testing::HasSubstr("children of worker pid " + std::to_string(worker)));
  ::kill(pids[1], SIGKILL);
  EXPECT_TRUE(StateDir::open(dir_ / "state", 60s));
}

}  // namespace
}  // namespace pipekit::worker
