// Operating a whole system: many runs at once, workers that come and go, broker restarts, definitions that change in
// the meantime, and programs that must not start.
#include <poll.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>

#include "shared/unique_fd.h"
#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Operation : public FlowTest {
 protected:
  Operation() {
    for (auto* database : {src_.get(), dst_.get()}) database->execute(kOrders);
    src_->execute(kThreeOrders);
    ::mkfifo(file("gate").c_str(), 0600);
  }

  // Transfers report that they are waiting, and wait until the gate is opened.
  WorkerOptions gated(int slots = 4) const {
    return {.jrunner = runner("if [ \"$MIGRATION\" ]; then echo self $$; read < " + file("gate") + "; fi; real"),
            .slots = slots,
            .kill_grace_s = 0.2};
  }
  void open_gate() const { std::ofstream(file("gate")) << "go\n"; }
  std::vector<std::string> order_of(const std::string& kind) {
    events().catch_up();
    std::vector<std::string> names;
    for (const auto& event : events().seen()) {
      if (event.kind == kind) names.push_back(event.module);
    }
    return names;
  }
};

TEST_F(Operation, sixty_runs_at_once_over_two_workers_never_use_more_sessions_than_a_connection_allows) {
  std::string modules = "modules:\n";
  for (int i = 0; i < 60; ++i) {
    modules += orders_module("full", {"hooks:", "  - {run_order: 1, connection: few, sql: SELECT 1, run_on: always}"},
                             "m" + std::to_string(i));
  }
  apply(modules, src_->definition("few", ", max_sessions: 3"));
  std::vector<int64_t> runs;
  for (int i = 0; i < 60; ++i) runs.push_back(submit("m" + std::to_string(i), {{"dry_run", true}}));
  start_worker();
  start_worker({}, "w2");
  for (const auto id : runs) EXPECT_EQ(events().wait_for_finish(id).fields["status"], "dry_run");
  std::set<int64_t> live;
  std::set<std::string> workers;
  size_t most = 0;
  for (const auto& event : events().seen()) {
    if (event.kind == "run.assigned") live.insert(event.run), workers.insert(event.worker);
    if (event.kind == "run.finished") live.erase(event.run);
    most = std::max(most, live.size());
  }
  EXPECT_EQ(most, 3U);
  EXPECT_EQ(workers.size(), 2U);
}

TEST_F(Operation, two_modules_load_one_table_at_once) {
  dst_->execute("INSERT INTO orders VALUES (9, 'old', 9)");
  apply("modules:\n" +
        orders_module("incremental",
                      {"merge_key: id", "source_query: SELECT id, customer, total FROM orders WHERE id < 3"}, "low") +
        orders_module("incremental",
                      {"merge_key: id", "source_query: SELECT id, customer, total FROM orders WHERE id > 1"}, "high"));
  start_worker();
  const auto low = submit("low");
  const auto high = submit("high");
  EXPECT_THAT(wait(low), Ended("success"));
  EXPECT_THAT(wait(high), Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT id FROM orders ORDER BY 1"), "1\n2\n3\n9");
}

TEST_F(Operation, what_is_more_urgent_goes_first_and_tags_say_where) {
  apply("modules:\n" + orders_module("full", {}, "usual") + orders_module("full", {"priority: 5"}, "urgent") +
            orders_module("full", {"priority: -5"}, "patient") +
            orders_module("full", {"hooks:", "  - {run_order: 1, connection: far, sql: SELECT 1, run_on: always}"},
                          "elsewhere"),
        src_->definition("far", ", required_tags: [site:far]"));
  const auto elsewhere = submit("elsewhere");
  const auto patient = submit("patient");
  submit("usual");
  submit("urgent");
  start_worker({.slots = 1});
  EXPECT_THAT(wait(patient), Ended("success"));
  EXPECT_THAT(order_of("run.assigned"), ElementsAre("urgent", "usual", "patient"));
  EXPECT_THAT(ctl({"why", std::to_string(elsewhere)}).out, HasSubstr("no worker has the tag site:far"));
  start_worker({.args = {"--tag", "site:far"}}, "far-1");
  EXPECT_EQ(wait(elsewhere)["worker"], "far-1");
}

TEST_F(Operation, a_run_uses_the_definition_as_it_was_when_it_was_submitted) {
  start_worker(gated(1));
  apply("modules:\n" + orders_module("full", {}, "first") +
        orders_module("append", {"source_query: SELECT id + 10, customer, total FROM orders"}, "second"));
  const auto first = submit("first");
  const auto second = submit("second");
  wait_for_line(first, "self");
  EXPECT_EQ(ctl({"run", "second"}).exit_code, 4);
  apply("modules:\n" + orders_module("append", {"source_query: SELECT 'changed'"}, "second"));
  EXPECT_EQ(ctl({"module", "remove", "first", "--yes"}).exit_code, 0);
  EXPECT_EQ(ctl({"module", "remove", "second", "--yes"}).exit_code, 0);
  open_gate();
  const auto ended = wait(first);
  EXPECT_THAT(ended, Ended("success"));
  EXPECT_EQ(ended["module_name"], "first");
  open_gate();
  EXPECT_THAT(wait(second), Ended("success"));
  EXPECT_EQ(dst_->rows("SELECT id FROM orders ORDER BY 1"), "1\n2\n3\n11\n12\n13");
}

TEST_F(Operation, a_worker_told_to_end_lets_its_runs_finish_and_takes_no_new_ones) {
  start_worker(gated());
  apply("modules:\n" + orders_module("full", {}, "running") + orders_module("full", {}, "late"));
  const auto running = submit("running");
  wait_for_line(running, "self");
  system_.worker("w1").signal(SIGTERM);
  system_.worker("w1").wait_for_err("draining");
  const auto late = submit("late");
  open_gate();
  EXPECT_THAT(wait(running), Ended("success"));
  EXPECT_EQ(system_.worker_end("w1"), 0);
  events().wait_for("worker.left", [](const auto& event) { return event.kind == "worker.left"; });
  EXPECT_EQ(json({"runs", "show", std::to_string(late)})["status"], "queued");
  EXPECT_THAT(ctl({"why", "late"}).out, HasSubstr("no worker is connected"));
}

TEST_F(Operation, a_worker_is_replaced_without_a_run_lost_or_disturbed) {
  start_worker(gated());
  apply("modules:\n" + orders_module("full", {}, "running") + orders_module("full", {}, "late"));
  const auto running = submit("running");
  wait_for_line(running, "self");
  RunningProgram drain(program_path("pipekit-ctl"), ctl_args({"workers", "drain", "w1", "--wait"}));
  drain.wait_for_err("waiting for 1 run on w1");
  const auto late = submit("late");
  EXPECT_THAT(ctl({"why", "late"}).out, AllOf(HasSubstr("w1 is drained"), HasSubstr("pipekit-ctl workers resume w1")));
  EXPECT_THAT(ctl({"workers", "list"}).out, HasSubstr("draining"));
  open_gate();
  const auto drained = drain.wait();
  EXPECT_EQ(drained.exit_code, 0);
  EXPECT_EQ(drained.out, "w1 is drained: nothing runs on it\n");
  EXPECT_THAT(wait(running), Ended("success"));
  system_.worker("w1").signal(SIGTERM);
  EXPECT_EQ(system_.worker_end("w1"), 0);
  start_worker();
  EXPECT_EQ(json({"runs", "show", std::to_string(late)})["status"], "queued");
  EXPECT_THAT(ctl({"workers", "list"}).out, HasSubstr("drained"));
  EXPECT_EQ(ctl({"workers", "resume", "w1"}).out, "w1 gets new runs again\n");
  EXPECT_THAT(wait(late), Ended("success"));
}

TEST_F(Operation, a_wait_for_a_drain_ends_when_somebody_resumes_the_worker) {
  start_worker(gated());
  apply("modules:\n" + orders_module("full"));
  const auto id = submit("orders");
  wait_for_line(id, "self");
  RunningProgram drain(program_path("pipekit-ctl"), ctl_args({"workers", "drain", "w1", "--wait"}));
  drain.wait_for_err("waiting for 1 run on w1");
  EXPECT_EQ(ctl({"workers", "resume", "w1"}).exit_code, 0);
  EXPECT_EQ(drain.wait().exit_code, 4);
  open_gate();
  EXPECT_THAT(wait(id), Ended("success"));
}

TEST_F(Operation, a_question_that_is_interrupted_ends_at_the_database_too) {
  start_worker({.jrunner = runner("echo $$ > " + file("gate") + "; exec sleep 600")});
  apply("modules: []\n", src_->definition("few", ", max_sessions: 1"));
  RunningProgram test(program_path("pipekit-ctl"), ctl_args({"connection", "test", "few"}));
  pid_t pid = 0;
  std::ifstream(file("gate")) >> pid;
  const UniqueFd asking(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  ASSERT_TRUE(asking);
  EXPECT_THAT(ctl({"connection", "test", "few"}).err, HasSubstr("connection few is full"));
  test.signal(SIGINT);
  EXPECT_EQ(test.wait().exit_code, 128 + SIGINT);
  pollfd gone{asking.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&gone, 1, 60'000), 1) << "what asks the database goes on";
}

TEST_F(Operation, a_second_signal_ends_a_worker_at_once_with_its_children) {
  start_worker(gated());
  apply("modules:\n" + orders_module("full"));
  const auto id = submit("orders");
  wait_for_line(id, "self");
  const auto pid = std::stoi(events().of_run(id, "run.log").front().fields.value("line", "").substr(5));
  system_.worker("w1").signal(SIGTERM);
  system_.worker("w1").wait_for_err("draining");
  system_.worker("w1").signal(SIGTERM);
  EXPECT_EQ(system_.worker_end("w1"), 1);
  start_worker();  // it has the lock of the state directory, so all children of the previous worker are dead
  EXPECT_EQ(::kill(pid, 0), -1);
  const auto ended = wait(id);
  EXPECT_EQ(ended["error_code"], "worker_lost");
  EXPECT_EQ(run("orders")["row_count"], 3);
  EXPECT_EQ(dst_->staging_tables(), "");
}

TEST_F(Operation, a_broker_that_is_restarted_finds_its_runs_going_on) {
  start_worker(gated());
  apply("modules:\n" + orders_module("full"));
  const auto id = submit("orders");
  wait_for_line(id, "self");
  RunningProgram watch(program_path("pipekit-ctl"), ctl_args({"events", "tail", "--since", "0", "-o", "json"}));
  watch.wait_for_out("\"line\":\"self");
  system_.broker().signal(SIGTERM);
  EXPECT_EQ(system_.broker_end(), 0);
  open_gate();
  system_.start_broker();
  const auto ended = wait(id);
  EXPECT_THAT(ended, Ended("success"));
  EXPECT_EQ(ended["attempt"], 1);
  watch.wait_for_out("run.finished");
  EXPECT_EQ(events().of_run(id, "run.finished").size(), 1U);
}

TEST_F(Operation, up_starts_a_system_and_one_signal_ends_it) {
  const auto data = file("laptop");
  RunningProgram up(program_path("pipekit-ctl"), {"up", "--data-dir", data, "--slots", "2"});
  up.wait_for_out("ready");
  const auto answer = run_program(program_path("pipekit-ctl"), {"--data-dir", data, "status", "-o", "json"});
  ASSERT_EQ(answer.exit_code, 0) << answer.err;
  const auto status = Json::parse(answer.out);
  EXPECT_EQ(status["workers"].size(), 1U);
  EXPECT_EQ(std::filesystem::status(data).permissions(), std::filesystem::perms::owner_all);
  up.signal(SIGINT);
  EXPECT_EQ(up.wait().exit_code, 0);
  EXPECT_EQ(::kill(status["broker"]["pid"].get<pid_t>(), 0), -1);
}

TEST_F(Operation, a_second_worker_of_the_same_name_and_a_store_of_the_future_are_refused) {
  start_worker();
  RunningProgram twin(program_path("pipekit-worker"),
                      {"--name", "w1", "--data-dir", system_.data_dir(), "--state-dir", file("other")});
  twin.wait_for_err("another worker named w1");
  system_.broker().signal(SIGTERM);
  ASSERT_EQ(system_.broker_end(), 0);
  new_sqlite(system_.data_dir() + "/pipekit.db")->execute("PRAGMA user_version = 9999");
  const auto future = run_program(program_path("pipekit-broker"), {"--data-dir", system_.data_dir()});
  EXPECT_NE(future.exit_code, 0);
  EXPECT_THAT(future.err, AllOf(HasSubstr("error: "), HasSubstr("newer")));
}

TEST_F(Operation, status_has_what_an_operator_watches) {
  start_worker();
  apply("modules:\n" + orders_module("full"));
  EXPECT_THAT(run("orders"), Ended("success"));
  const auto status = json({"status"});
  const auto& broker = status["broker"];
  for (const auto* name : {"turn_us", "commit_us"}) {
    for (const auto* field : {"count", "p50", "p99", "max"}) EXPECT_TRUE(broker.at(name).at(field).is_number()) << name;
  }
  EXPECT_EQ(broker["queue_length"], 0);
  EXPECT_EQ(broker["live_attempts"], 0);
  EXPECT_EQ(broker["open_tails"], 1);  // this test's
  const Json worker = status["workers"].at(0);
  EXPECT_EQ(worker["name"], "w1");
  EXPECT_EQ(worker["busy"], 0);
  const Json module = json({"module", "list"}).at(0);
  EXPECT_EQ(module["running"], false);
  EXPECT_EQ(module["last_status"], "success");
}

}  // namespace
}  // namespace pipekit::test
