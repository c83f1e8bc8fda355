#include "tests/support/run_program.h"

#include <gtest/gtest.h>

#include <csignal>

#include "tests/support/temp_dir.h"

namespace pipekit::test {
namespace {

TEST(RunProgram, gives_arguments_environment_and_input_and_collects_both_streams) {
  const std::string input(300'000, 'x');
  const auto result = run_program("sh", {"-c", "wc -c; echo \"$1 $NAME ${HOME-unset}\" >&2; exit 3", "sh", "a b"},
                                  {.env = {"NAME=value", "HOME"}, .input = input});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.out, "300000\n");
  EXPECT_EQ(result.err, "a b value unset\n");
}

TEST(RunProgram, waits_for_a_line_and_reports_the_signal_that_ended_it) {
  RunningProgram program("sh", {"-c", "echo ready; exec cat"}, {.input = ""});
  program.wait_for_out("ready\n");
  program.wait();
  RunningProgram endless("sh", {"-c", "echo ready; exec tail -f /dev/null"});
  endless.wait_for_out("ready\n");
  endless.signal(SIGTERM);
  EXPECT_EQ(endless.wait().exit_code, 128 + SIGTERM);
}

TEST(RunProgram, a_child_that_does_not_end_is_killed_at_the_deadline) {
  RunningProgram endless("tail", {"-f", "/dev/null"}, {.deadline = std::chrono::seconds(0)});
  EXPECT_THROW(endless.wait(), std::runtime_error);
}

}  // namespace
}  // namespace pipekit::test
