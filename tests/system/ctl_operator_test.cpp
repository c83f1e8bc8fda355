// What an operator sees: completion in a real bash, why, what a watched run is waiting for, timing by step, messages of
// failed runs.
#include <csignal>
#include <fstream>

#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class Operator : public FlowTest {
 protected:
  Operator() {
    for (auto* database : {src_.get(), dst_.get()}) database->execute(kOrders);
    src_->execute(kThreeOrders);
  }

  // What bash offers if the Tab key is pressed at the end of this line.
  std::string completed(const std::string& line) {
    const auto script = file("complete.bash");
    std::ofstream(script) << ctl({"completion", "bash"}).out << R"(
COMP_LINE=$1 COMP_POINT=${#1}
# As readline cuts: at blanks, and at = and : which are words themselves.
mapfile -t COMP_WORDS < <(sed -E 's/([=:]+)/\n\1\n/g; s/ +/\n/g' <<< "$1" | sed '/^$/d')
[[ $1 =~ [[:space:]]$ ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { echo "files"; }
_pipekit_ctl
printf '%s\n' "${COMPREPLY[@]}"
)";
    auto result = run_program("/bin/bash", {script, program_path("pipekit-ctl") + " " + line});
    EXPECT_EQ(result.err, "");
    return result.out;
  }
  [[nodiscard]] std::string here(const std::string& rest) const {
    return "--data-dir " + system_.data_dir() + " " + rest;
  }
};

TEST_F(Operator, bash_completes_verbs_flags_values_and_what_the_broker_knows) {
  apply("modules:\n" + orders_module("full") + orders_module("full", {}, "old_orders") +
        orders_module("full", {}, "\"a b\"") + "groups:\n  - {name: nightly, members: [orders]}\n");
  EXPECT_EQ(completed("ru"), "run\nrun-group\nruns\n");
  EXPECT_EQ(completed("runs "), "list\nshow\nlogs\n");
  EXPECT_EQ(completed("run x --w"), "--watch\n");
  EXPECT_EQ(completed("-o j"), "json\n");
  EXPECT_EQ(completed("status --output=j"), "json\n");
  EXPECT_EQ(completed("apply -f "), "files\n\n");
  EXPECT_EQ(completed(here("run o")), "old_orders\norders\n");
  EXPECT_EQ(completed(here("run a")), "a\\ b\n") << "quoted for the shell";
  EXPECT_EQ(completed(here("module list --data-dir=" + system_.data_dir() + " --output=")), "table\njson\nyaml\ncsv\n");
  EXPECT_EQ(completed("--broker " + system_.control_endpoint() + " run-group "), "nightly\n");
  EXPECT_THAT(completed(here("connection show ")), HasSubstr("dst\nsrc\n"));
  EXPECT_THAT(completed(here("settings get log_h")), HasSubstr("log_head_bytes\n"));
  EXPECT_EQ(completed("--data-dir " + file("nowhere") + " run "), "\n") << "no broker, no names, no words about it";
  submit("orders");
  EXPECT_EQ(completed(here("cancel ")), "1\n");
}

TEST_F(Operator, a_watched_run_that_nobody_can_begin_says_so_at_once_and_goes_on_when_somebody_comes) {
  apply("modules:\n" + orders_module("full") + "groups:\n  - {name: nightly, members: [orders]}\n");
  for (const auto& words : {Words{"run", "orders"}, Words{"run-group", "nightly"}}) {
    auto args = words;
    args.emplace_back("--watch");
    RunningProgram watch(program_path("pipekit-ctl"), ctl_args(args));
    watch.wait_for_err("no worker is connected\nhint: start one: pipekit-worker --name NAME\n");
    start_worker();
    const auto ended = watch.wait();
    EXPECT_EQ(ended.exit_code, 0);
    EXPECT_THAT(ended.out, HasSubstr("✔ orders  3 rows"));
    system_.worker("w1").signal(SIGTERM);
    EXPECT_EQ(system_.worker_end("w1"), 0);
    EXPECT_THAT(ctl({"why", "orders"}).out, HasSubstr("has ended: success"));
  }
  start_worker();
  EXPECT_THAT(ctl({"run", "orders", "--watch"}).err, IsEmpty());
}

TEST_F(Operator, a_run_shows_how_long_each_step_took) {
  start_worker();
  apply("modules:\n" + orders_module("full"));
  const auto shown = run("orders");
  std::vector<std::string> names;
  for (const auto& step : shown["steps"]) {
    names.push_back(step["name"]);
    EXPECT_GE(step["duration_ms"], 0);
    EXPECT_THAT(step["started_at"].get<std::string>(), HasSubstr("T"));
  }
  EXPECT_THAT(names, ElementsAre("queue", "claim", "materialise", "staging", "transfer", "verify", "merge", "drop"));
  EXPECT_EQ(shown["attempts"].at(0)["steps"], shown["steps"]);
  EXPECT_THAT(ctl({"runs", "show", "1"}).out, AllOf(HasSubstr("STEP"), HasSubstr("transfer  ")));
}

TEST_F(Operator, the_message_of_a_failed_run_speaks_of_the_users_table_and_says_what_to_do) {
  start_worker();
  apply("modules:\n" + orders_module("full", {"source_query: SELECT id FROM orders"}, "narrow") +
        orders_module("full", {"source_query: SELECT 1, customer, total FROM orders"}, "refused") +
        orders_module("full",
                      {"source_query: SELECT id, customer, total FROM orders WHERE customer > {who}",
                       "watermarks:", "  - {name: who, connection: dst, resolver_sql: SELECT 'ann b'}"},
                      "bare"));
  const auto narrow = run("narrow")["error"].get<std::string>();
  EXPECT_THAT(narrow, HasSubstr("the query has 1 column and the table orders has 3"));
  EXPECT_THAT(narrow, Not(HasSubstr("pipekit_staging")));
  const auto refused = run("refused");
  EXPECT_THAT(refused["error"].get<std::string>(), HasSubstr("UNIQUE constraint failed"));
  EXPECT_EQ(refused["attempts"].at(0)["outcome"], "not_merged") << "asked all the same";
  for (const auto& step : refused["steps"]) EXPECT_NE(step["name"], "close");
  const auto bare = run("bare");
  EXPECT_EQ(bare["error_code"], "unsafe_watermark");
  EXPECT_THAT(bare["error"].get<std::string>(), HasSubstr("put quotes around it: '{who}'"));
  EXPECT_THAT(ctl({"module", "preview", "bare"}).err, HasSubstr("put quotes around it: '{who}'"));
}

TEST_F(Operator, screens_in_a_pipe_have_data_and_nothing_else) {
  start_worker();
  apply("modules:\n" + orders_module("full") + "groups:\n  - {name: nightly, members: [orders]}\n");
  run("orders");
  for (const auto& words : {Words{"status"}, Words{"module", "list"}, Words{"runs", "list"}, Words{"workers", "list"},
                            Words{"group", "list"}, Words{"runs", "show", "1"}, Words{"why", "orders"}}) {
    const auto result = run_program(program_path("pipekit-ctl"), ctl_args(words), {.env = {"COLUMNS", "LINES"}});
    EXPECT_EQ(result.err, "") << words[0];
    for (const auto c : result.out) EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << words[0];
  }
  EXPECT_EQ(ctl({"module", "list"}).out, ctl({"module", "list"}).out) << "in an order that stays";
  // As watch(1) calls it.
  const auto watched =
      run_program(program_path("pipekit-ctl"), ctl_args({"runs", "list"}), {.env = {"COLUMNS=60", "LINES=24"}});
  EXPECT_THAT(watched.out, AllOf(HasSubstr("MODULE"), Not(HasSubstr("\x1b")), Not(HasSubstr("manual"))));
  EXPECT_THAT(watched.out, ::testing::MatchesRegex("(.|\n)*(now|ago)(.|\n)*"));
  EXPECT_THAT(ctl({"module", "list"}).out, StartsWith("from src\n"));
  EXPECT_TRUE(json({"module", "list"}).at(0).contains("source_query"));
  EXPECT_THAT(ctl({"module", "list", "-o", "csv"}).out, HasSubstr("SELECT id, customer, total FROM orders"));
}

}  // namespace
}  // namespace pipekit::test
