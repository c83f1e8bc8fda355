// A password is in the worker's environment and the runner's, and nowhere else.
#include <filesystem>
#include <fstream>

#include "tests/support/process_file.h"
#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kPassword = "s3cret pass";

std::vector<std::string> command_lines_with(const std::string& text, const std::string& directory) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    auto line = read_process_file(entry.path() / "cmdline");
    const bool ours = line.find(directory) != std::string::npos;
    if (ours && line.find(text) != std::string::npos) found.push_back(std::move(line));
  }
  return found;
}

class FlowSecret : public FlowTest {
 protected:
  void expect_nowhere(const std::string& secret) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(system_.data_dir())) {
      if (!entry.is_regular_file()) continue;
      EXPECT_THAT(read_file(entry.path()), Not(HasSubstr(secret))) << entry.path();
    }
    EXPECT_THAT(ctl({"events", "tail", "--since", "0", "--no-follow", "-o", "json"}).out, Not(HasSubstr(secret)));
    for (auto* program : {&system_.worker("w1"), &system_.broker()}) {
      program->signal(SIGTERM);
      EXPECT_THAT(program->wait().err, Not(HasSubstr(secret)));
    }
  }
};

TEST_F(FlowSecret, is_in_no_argument_list_and_in_no_file_while_and_after_a_run_uses_it) {
  src_ = new_postgres();
  dst_ = new_postgres();
  for (auto* database : {src_.get(), dst_.get()}) database->execute(kOrders);
  src_->execute(kThreeOrders);
  src_->execute("SELECT pg_advisory_lock(1)");
  start_worker();
  apply("modules:\n" +
        orders_module(
            "full", {"source_query: SELECT id, customer, total FROM orders, (SELECT pg_advisory_lock(1)) AS waited"}));
  const auto id = submit("orders");
  src_->execute(
      "DO $$ BEGIN WHILE NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock') LOOP "
      "PERFORM pg_stat_clear_snapshot(), pg_sleep(0.002); END LOOP; END $$");
  EXPECT_EQ(command_lines_with("PIPEKIT_SOURCE_PASSWORD", system_.data_dir()).size(), 2U)
      << "the runner and its supervisor";
  EXPECT_THAT(command_lines_with(kPassword, system_.data_dir()), ::testing::IsEmpty());
  src_->execute("SELECT pg_advisory_unlock(1)");
  EXPECT_THAT(wait(id), Ended("success"));
  expect_nowhere(kPassword);
}

TEST_F(FlowSecret, that_is_wrong_or_missing_is_told_without_its_value) {
  src_->execute(kOrders);
  dst_ = new_postgres();
  dst_->execute(kOrders);
  apply("modules:\n" + orders_module("full"));
  start_worker({.env = {"TEST_PG_PASSWORD=wr0ng value"}});
  const auto wrong = run("orders");
  EXPECT_THAT(wrong, Ended("error"));
  EXPECT_THAT(wrong["error"].get<std::string>(), HasSubstr("password authentication failed for user \"postgres\""));
  const auto tested = ctl({"connection", "test", "dst"});
  EXPECT_EQ(tested.exit_code, 5);
  EXPECT_THAT(tested.err, AllOf(HasSubstr("connection dst"), HasSubstr("password authentication failed")));
  expect_nowhere("wr0ng value");

  system_.start_broker();
  start_worker({.env = {"TEST_PG_PASSWORD"}}, "w2");
  const auto missing = run("orders");
  EXPECT_THAT(missing, Ended("error"));
  EXPECT_THAT(missing["error"].get<std::string>(),
              HasSubstr("TEST_PG_PASSWORD is missing in the worker's environment"));
}

TEST_F(FlowSecret, that_a_runner_prints_is_masked_also_in_pieces) {
  for (auto* database : {src_.get(), dst_.get()}) database->execute(kOrders);
  src_->execute(kThreeOrders);
  start_worker(
      {.jrunner = runner(
           "if [ \"$MIGRATION\" ]; then for part in 'using hunt' 'er22 on' ' ' 'both' $'\\n' hunter22 ; do printf "
           "'%s' \"$part\"; printf '%s' \"$part\" >&2; done; echo; fi; real"),
       .env = {"PK_SECRET=hunter22"}});
  apply(
      "modules:\n  - {name: orders, source_connection: locked, dest_connection: dst, dest_table: orders, "
      "merge_strategy: full, "
      "source_query: \"SELECT id, customer, total FROM orders\"}\n",
      src_->definition("locked", ", username: u, password: $PK_SECRET"));
  const auto ended = run("orders");
  EXPECT_THAT(ended, Ended("success"));
  EXPECT_EQ(ended["jrunner_stdout"], "using **** on both\n****\n3 rows\n");
  EXPECT_EQ(ended["jrunner_stderr"], "using **** on both\n****\n");
  expect_nowhere("hunter22");
}

TEST_F(FlowSecret, that_a_runner_prints_for_a_connection_test_is_masked) {
  start_worker({.jrunner = runner("echo refused: ${arguments[*]} >&2; exit 1"), .env = {"PK_SECRET=hunter22"}});
  apply("", src_->definition("locked", ", username: u, password: $PK_SECRET"));
  const auto tested = ctl({"connection", "test", "locked"});
  EXPECT_EQ(tested.exit_code, 5);
  EXPECT_THAT(tested.err, AllOf(HasSubstr("-scp ****"), Not(HasSubstr("hunter22"))));
}

}  // namespace
}  // namespace pipekit::test
