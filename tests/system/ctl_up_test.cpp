// `pipekit-ctl up`: a whole system in the foreground, of which nothing is left afterwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "shared/unique_fd.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace pipekit {
namespace {

using test::RunningProgram;
using testing::HasSubstr;

struct Process {
  pid_t pid = -1;
  UniqueFd fd;

  [[nodiscard]] bool ends_within(std::chrono::milliseconds limit) const {
    pollfd item{fd.get(), POLLIN, 0};
    return poll(&item, 1, static_cast<int>(limit.count())) == 1;
  }
};

// The children of `parent` in the order in which they were started.
std::vector<Process> children_of(pid_t parent) {
  std::ifstream file("/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children");
  std::vector<Process> children;
  for (pid_t pid = 0; file >> pid;) {
    children.push_back({pid, UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)))});
  }
  return children;
}

class CtlUp : public testing::Test {
 protected:
  CtlUp() : up_(test::program_path("pipekit-ctl"), {"up", "--data-dir", dir_.file("data"), "--slots", "2"}) {
    up_.wait_for_out("Ctrl-C ends it\n");
    children_ = children_of(up_.pid());
  }

  void expect_all_gone() const {
    for (const auto& child : children_) EXPECT_TRUE(child.ends_within(std::chrono::seconds{10})) << child.pid;
  }

  test::TempDir dir_;
  RunningProgram up_;
  std::vector<Process> children_;
};

TEST_F(CtlUp, says_ready_when_the_broker_answers_and_ends_in_order) {
  ASSERT_EQ(children_.size(), 2U);
  EXPECT_THAT(up_.out(), HasSubstr("ready: " + dir_.file("data")));
  const auto status = test::run_program(test::program_path("pipekit-ctl"), {"--data-dir", dir_.file("data"), "status"});
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.out, HasSubstr("broker"));
  up_.signal(SIGTERM);
  EXPECT_EQ(up_.wait().exit_code, 0);
  expect_all_gone();
}

TEST_F(CtlUp, names_the_child_that_ended_by_itself_and_ends_the_others) {
  ASSERT_EQ(children_.size(), 2U);
  kill(children_[0].pid, SIGKILL);
  const auto result = up_.wait();
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("error: the broker was killed by signal 9"));
  expect_all_gone();
}

TEST_F(CtlUp, is_not_ready_where_another_broker_has_the_store) {
  const auto second = test::run_program(test::program_path("pipekit-ctl"), {"up", "--data-dir", dir_.file("data")});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("another broker has the store"));
  EXPECT_THAT(second.out, Not(HasSubstr("ready")));
}

TEST_F(CtlUp, leaves_nothing_running_when_it_is_killed) {
  ASSERT_EQ(children_.size(), 2U);
  up_.signal(SIGKILL);
  expect_all_gone();
}

// Its worker would join another system, and take that system's runs.
TEST(CtlUpVariables, do_not_reach_its_broker_and_worker) {
  const test::TempDir dir;
  const auto elsewhere = "ipc://" + dir.file("elsewhere.sock");
  test::ProgramOptions options;
  options.env = {"PIPEKIT_BROKER=" + elsewhere,
                 "PIPEKIT_CONTROL_ENDPOINT=" + elsewhere,
                 "PIPEKIT_WORKER_ENDPOINT=" + elsewhere,
                 "PIPEKIT_KEY_FILE=" + dir.file("none.key"),
                 "PIPEKIT_NAME=somebody",
                 "PIPEKIT_STATE_DIR=" + dir.file("state")};
  RunningProgram up(test::program_path("pipekit-ctl"), {"up", "--data-dir", dir.file("data")}, options);
  up.wait_for_out("Ctrl-C ends it\n");
  EXPECT_FALSE(std::filesystem::exists(dir.file("state")));
  EXPECT_FALSE(std::filesystem::exists(dir.file("elsewhere.sock")));
}

TEST(CtlUpUsage, needs_a_data_directory) {
  const auto result = test::run_program(test::program_path("pipekit-ctl"), {"up"}, {{"PIPEKIT_DATA_DIR"}});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("--data-dir"));
}

}  // namespace
}  // namespace pipekit
