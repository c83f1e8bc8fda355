// Runners that misbehave, and runs that a person or a limit ends. A script replaces the runner; a word in the source
// query tells it what to do.
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

// Shadow memory, and freed memory that the sanitizer keeps, do not belong to the program.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long kMostRssKib = 1500L * 1024;
#else
constexpr long kMostRssKib = 300L * 1000;
#endif

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

bool is_alive(pid_t pid) { return ::kill(pid, 0) == 0; }

class FlowRunner : public FlowTest {
 protected:
  FlowRunner() {
    for (auto* database : {src_.get(), dst_.get()}) database->execute(kOrders);
    src_->execute(kThreeOrders);
  }

  // `acts`: lines of a shell `case` over the word.
  void start(const std::string& acts, double kill_grace_s = 0.2) {
    start_worker({.jrunner = runner("[ \"$MIGRATION\" ] || { real; exit; }\n"
                                    "word=$(grep -oh 'act_[a-z_]*' \"${arguments[@]: -3:1}\")\ncd " +
                                    system_.dir().path().string() + "\ncase $word in\n" + acts + "\n*) real;;\nesac"),
                  .kill_grace_s = kill_grace_s});
  }
  static std::string acting(const std::string& word, const Words& more = {}) {
    auto lines = more;
    lines.push_back("source_query: SELECT id, customer, total FROM orders -- act_" + word);
    return orders_module("full", lines, word);
  }
  void expect_merged(const Json& ended) {
    EXPECT_THAT(ended, Ended("success"));
    EXPECT_EQ(dst_->rows("SELECT count(*) FROM orders"), "3");
    dst_->execute("DELETE FROM orders");
  }
  void expect_untouched(const Json& ended, const std::string& words) {
    EXPECT_THAT(ended, Ended("error"));
    EXPECT_THAT(ended["error"].get<std::string>(), HasSubstr(words));
    EXPECT_EQ(dst_->rows("SELECT count(*) FROM orders"), "0");
    EXPECT_EQ(dst_->staging_tables(), "");
  }
  std::string fifo(const std::string& name) const {
    ::mkfifo(file(name).c_str(), 0600);
    return file(name);
  }
  // The last number in the line of the run's log that begins with `word`.
  pid_t pid_in(int64_t run, const std::string& word) {
    wait_for_line(run, word + " ");
    for (const auto& event : events().of_run(run, "run.log")) {
      const auto line = event.fields.value("line", "");
      if (line.starts_with(word + " ")) return std::stoi(line.substr(word.size() + 1));
    }
    return -1;
  }
};

TEST_F(FlowRunner, that_break_the_contract_end_their_run_with_a_reason) {
  start(R"(
act_no_count) real > /dev/null;;
act_stderr) real >&2;;
act_signal) kill -KILL $$;;
act_code) echo first; echo the disk is on fire >&2; exit 7;;
act_silent) exit 3;;)");
  apply("modules:\n" + acting("no_count") + acting("stderr") + acting("signal") + acting("code") + acting("silent"));
  expect_untouched(run("no_count"), "exited 0 but printed no number of rows");
  expect_untouched(run("stderr"), "printed no number of rows");
  expect_untouched(run("signal"), "killed by signal 9");
  const auto code = run("code");
  expect_untouched(code, "the disk is on fire");
  EXPECT_EQ(code["jrunner_stdout"], "first\n");
  EXPECT_EQ(code["jrunner_stderr"], "the disk is on fire\n");
  expect_untouched(run("silent"), "exited with code 3");
}

TEST_F(FlowRunner, that_print_strangely_are_understood) {
  start(R"(
act_unended) real > /dev/null; printf '3 rows';;
act_binary) printf '\000\001\377\376\r\n\t\033[31m\xc3\n'; real;;
act_orphan) sleep 1000 & echo orphan $!; real;;
act_words) real > /dev/null; echo 'inserted=3 tuples in 2 rows of pages';;)");
  apply("modules:\n" + acting("unended") + acting("binary") + acting("orphan") + acting("words"));
  expect_merged(run("unended"));
  const auto binary = run("binary");
  expect_merged(binary);
  EXPECT_THAT(binary["live_log"].get<std::string>(), HasSubstr("\n3 rows\n"));
  const auto orphan = run("orphan");
  expect_merged(orphan);
  EXPECT_FALSE(is_alive(pid_in(orphan["id"], "orphan")));
  EXPECT_EQ(run("words")["error_code"], "row_count_mismatch");
  ASSERT_EQ(ctl({"settings", "set", "row_count_pattern", "inserted=([0-9]+)"}).exit_code, 0);
  expect_merged(run("words"));
  const auto refused = ctl({"settings", "set", "row_count_pattern", "inserted=[0-9]+"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("it has 0 groups"), HasSubstr("one group")));
}

TEST_F(FlowRunner, that_print_without_measure_cost_no_memory_and_lose_only_the_middle) {
  start(R"(
act_chatty) echo the first line; head -c 100000000 /dev/zero | tr '\0' x | fold -w 999; echo; echo the last line; real;;
act_long) head -c 50000000 /dev/zero | tr '\0' y; echo; real;;)");
  apply("modules:\n" + acting("chatty") + acting("long"));
  const auto chatty = run("chatty");
  expect_merged(chatty);
  EXPECT_THAT(chatty["live_log"].get<std::string>(),
              AllOf(HasSubstr("the first line\n"), HasSubstr("lines elided"), HasSubstr("the last line\n3 rows\n")));
  const auto one = run("long");
  expect_merged(one);
  EXPECT_LT(one["live_log"].get<std::string>().size(), 2'000'000U);
  EXPECT_LT(std::filesystem::file_size(system_.data_dir() + "/pipekit.db"), 60'000'000U);
  for (auto* program : {&system_.worker("w1"), &system_.broker()}) {
    program->signal(SIGTERM);
    EXPECT_LT(program->wait().max_rss_kib, kMostRssKib);
  }
}

TEST_F(FlowRunner, show_their_lines_while_they_run) {
  const auto gate = fifo("gate");
  start("act_slow) echo half way; read < gate; real;;");
  apply("modules:\n" + acting("slow"));
  const auto id = submit("slow");
  RunningProgram follower(program_path("pipekit-ctl"), ctl_args({"runs", "logs", std::to_string(id), "-f"}));
  follower.wait_for_out("half way");
  EXPECT_EQ(json({"runs", "show", std::to_string(id)})["status"], "running");
  std::ofstream(gate) << "go\n";
  expect_merged(wait(id));
  const auto followed = follower.wait();
  EXPECT_EQ(followed.exit_code, 0);
  EXPECT_THAT(followed.out, HasSubstr("3 rows"));
}

TEST_F(FlowRunner, that_rewrite_a_line_show_it_while_they_run_and_keep_its_last_state) {
  const auto gate = fifo("gate");
  start(
      "act_bar) printf '20%%\\r\\033[1m40%%\\033[0m\\r'; read < gate; real > /dev/null; "
      "printf '60%%\\r\\033[Kdone\\n1 row\\r3 rows\\r';;");
  apply("modules:\n" + acting("bar"));
  const auto id = submit("bar");
  events().wait_for("the state of the bar", [&](const LoggedEvent& event) {
    return event.kind == "run.progress" && event.run == id && event.fields.value("line", "") == "40%";
  });
  const auto live = ctl({"runs", "logs", std::to_string(id)});
  EXPECT_EQ(live.out, "40%\n");
  std::ofstream(gate) << "go\n";
  const auto ended = wait(id);
  expect_merged(ended);
  EXPECT_EQ(ended["jrunner_stdout"], "done\n3 rows\n");
  EXPECT_EQ(ctl({"runs", "logs", std::to_string(id)}).out, "done\n3 rows\n");
}

TEST_F(FlowRunner, that_ignore_a_cancel_are_killed_with_their_children_before_the_run_is_cancelled) {
  start("act_stubborn) trap '' TERM; sleep 1000 & echo child $!; echo self $$; wait; sleep 1000; sleep 1000;;");
  apply("modules:\n" + acting("stubborn"));
  const auto id = submit("stubborn");
  const auto self = pid_in(id, "self");
  const auto child = pid_in(id, "child");
  ASSERT_TRUE(is_alive(self) && is_alive(child));
  cancel(id);
  const auto ended = wait(id);
  EXPECT_THAT(ended, Ended("cancelled"));
  EXPECT_EQ(ended["error"], nullptr);
  EXPECT_FALSE(is_alive(self));
  EXPECT_FALSE(is_alive(child));
  EXPECT_EQ(dst_->staging_tables(), "");
  EXPECT_EQ(ctl({"cancel", std::to_string(id)}).exit_code, 3);
}

TEST_F(FlowRunner, are_told_of_a_cancel_by_sigterm_and_may_say_goodbye) {
  start("act_polite) trap 'echo goodbye; exit 0' TERM; echo here; sleep 1000 & wait;;", 30);
  apply("modules:\n" + acting("polite"));
  const auto id = submit("polite");
  wait_for_line(id, "here");
  ctl({"cancel", "--module", "polite"});
  const auto ended = wait(id);
  EXPECT_THAT(ended, Ended("cancelled"));
  EXPECT_EQ(ended["live_log"], "here\ngoodbye\n");
}

TEST_F(FlowRunner, of_a_queued_run_are_never_started_when_it_is_cancelled) {
  apply("modules:\n" + orders_module("full"));
  const auto id = submit("orders");
  EXPECT_EQ(cancel(id)["cancelled"], Json::array({id}));
  EXPECT_THAT(wait(id), Ended("cancelled"));
  start("x) ;;");
  EXPECT_THAT(run("orders"), Ended("success"));
  EXPECT_TRUE(events().of_run(id, "run.assigned").empty());
}

TEST_F(FlowRunner, that_hang_after_their_work_end_with_the_runs_time) {
  start("act_hangs) real; echo self $$; sleep 1000;;");
  apply("modules:\n" + acting("hangs", {"timeout_s: 2"}));
  const auto ended = run("hangs");
  expect_untouched(ended, "timed out after 2 s (timeout_s)");
  EXPECT_EQ(ended["error_code"], "timeout");
  EXPECT_FALSE(is_alive(pid_in(ended["id"], "self")));
}

}  // namespace
}  // namespace pipekit::test
