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
  [[nodiscard]] std::string secrets_file(const std::string& text, std::filesystem::perms mode) const {
    const auto path = system_.dir().write("secrets.env", text);
    std::filesystem::permissions(path, mode);
    return path;
  }
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
  start_worker({.jrunner = runner("echo refused: ${arguments[*]} >&2; exit 1"),
                .args = {"--runner-passwords", "argument"},
                .env = {"PK_SECRET=hunter22"}});
  apply("", src_->definition("locked", ", username: u, password: $PK_SECRET"));
  const auto tested = ctl({"connection", "test", "locked"});
  EXPECT_EQ(tested.exit_code, 5);
  EXPECT_THAT(tested.err, AllOf(HasSubstr("-scp ****"), Not(HasSubstr("hunter22"))));
}

TEST_F(FlowSecret, reaches_an_operators_own_runner_by_its_environment) {
  start_worker({.jrunner = runner("echo arguments: ${arguments[*]} password: $PIPEKIT_SOURCE_PASSWORD >&2; exit 1"),
                .env = {"PK_SECRET=hunter22"}});
  apply("", src_->definition("locked", ", username: u, password: $PK_SECRET"));
  const auto tested = ctl({"connection", "test", "locked"});
  EXPECT_THAT(tested.err, AllOf(HasSubstr("-scp env:PIPEKIT_SOURCE_PASSWORD"), HasSubstr("password: ****")));
}

TEST_F(FlowSecret, that_its_owner_did_not_allow_reaches_no_runner) {
  const auto called = file("called");
  start_worker({.jrunner = runner("echo \"$PK_OTHER ${arguments[*]}\" >> " + called + "; real"),
                .args = {"--secrets-file", secrets_file("PK_SECRET=hunter22\n", std::filesystem::perms(0600))},
                .env = {"PK_OTHER_SECRET=0ther value"},
                .secret_env = {"TEST_PG_PASSWORD"}});
  apply("", src_->definition("theirs", ", username: u, password: $PK_OTHER_SECRET") +
                src_->definition("ours", ", username: u, password: $PK_SECRET"));
  std::filesystem::remove(called);
  const auto refused = ctl({"connection", "test", "theirs"});
  EXPECT_EQ(refused.exit_code, 5);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("PK_OTHER_SECRET is not allowed on this worker"),
                                 HasSubstr("--secret-env PK_OTHER_SECRET"), Not(HasSubstr("0ther value"))));
  EXPECT_FALSE(std::filesystem::exists(called));
  EXPECT_EQ(ctl({"connection", "test", "ours"}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::exists(called));
}

TEST_F(FlowSecret, that_is_bound_to_a_host_is_sent_to_no_other) {
  dst_ = new_postgres();
  start_worker({.args = {"--secret-host", "TEST_PG_PASSWORD=db1.example"}});
  apply("");
  const auto refused = ctl({"connection", "test", "dst"});
  EXPECT_EQ(refused.exit_code, 5);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("TEST_PG_PASSWORD may only be used for certain hosts"),
                                 HasSubstr("127.0.0.1"), HasSubstr("secret_hosts")));
  const auto config =
      system_.dir().write("worker.yaml", "secret_hosts:\n  TEST_PG_PASSWORD: [db1.example, 127.0.0.1]\n");
  start_worker({.args = {"--config", config}});
  const auto accepted = ctl({"connection", "test", "dst"});
  EXPECT_EQ(accepted.exit_code, 0) << accepted.err;
}

TEST_F(FlowSecret, of_a_file_that_others_can_read_ends_the_worker) {
  auto& worker = start_worker(
      {.args = {"--secrets-file", secrets_file("A=1\n", std::filesystem::perms(0644))}, .wait_joined = false});
  const auto ended = worker.wait();
  EXPECT_EQ(ended.exit_code, 6);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("has mode 0644"), HasSubstr("chmod 0600")));
}

TEST_F(FlowSecret, of_other_programs_in_the_workers_environment_is_not_handed_on) {
  const auto seen = file("seen");
  start_worker({.jrunner = runner("env > " + seen + "; real"),
                .env = {"PK_SECRET=hunter22", "PK_PASSWORD_OF_MAIL=m4il", "MY_SECRET_OPTION=y"}});
  apply("", src_->definition("locked", ", username: u, password: $PK_SECRET"));
  EXPECT_EQ(ctl({"connection", "test", "locked"}).exit_code, 0);
  const auto environment = read_file(seen);
  EXPECT_THAT(environment, AllOf(HasSubstr("PATH="), HasSubstr("PIPEKIT_SOURCE_PASSWORD=hunter22"),
                                 HasSubstr("PGPASSFILE=/nonexistent")));
  for (const auto* other : {"m4il", "MY_SECRET_OPTION", "PK_SECRET", "TEST_PG_PASSWORD"}) {
    EXPECT_THAT(environment, Not(HasSubstr(other)));
  }
}

TEST_F(FlowSecret, in_a_url_is_refused_by_the_broker_without_its_value) {
  const auto file = system_.dir().write(
      "bad.yaml",
      "connections:\n  - {name: c, driver: sqlite, jdbc_url: \"jdbc:sqlite:x?Pass%77ord=hunter22\"}\n"
      "  - {name: d, driver: sqlite, jdbc_url: \"jdbc:sqlite:x?foreign_key=on\"}\n");
  const auto refused = ctl({"apply", "-f", file});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("jdbc_url: contains a secret"), Not(HasSubstr("hunter22"))));
  EXPECT_THAT(refused.err, HasSubstr("did you mean foreign_keys?"));
}

// As an older broker, or one that was tampered with, would send it.
TEST_F(FlowSecret, a_worker_checks_urls_itself_before_it_starts_a_runner) {
  apply("");
  system_.broker().signal(SIGTERM);
  system_.broker_end();
  new_sqlite(system_.data_dir() + "/pipekit.db")
      ->execute("UPDATE connection SET jdbc_url = 'jdbc:other://h/d?socketFactory=x' WHERE name = 'src'");
  system_.start_broker();
  const auto called = file("called");
  start_worker({.jrunner = runner("touch " + called + "; real")});
  std::filesystem::remove(called);
  const auto tested = ctl({"connection", "test", "src"});
  EXPECT_EQ(tested.exit_code, 5);
  EXPECT_THAT(tested.err,
              AllOf(HasSubstr("parameter socketFactory, which is not allowed"), HasSubstr("--url-parameter")));
  EXPECT_FALSE(std::filesystem::exists(called));
}

}  // namespace
}  // namespace pipekit::test
