// pipekit-ctl with a running system: exit codes, streams, and the form of its output.
#include <csignal>
#include <sstream>

#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::vector<Json> lines_of(const std::string& text) {
  std::vector<Json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
  return lines;
}

class CtlFlow : public FlowTest {
 protected:
  CtlFlow() {
    for (auto* database : {src_.get(), dst_.get()}) database->execute(kOrders);
    src_->execute(kThreeOrders);
  }
};

TEST_F(CtlFlow, a_command_says_by_its_exit_code_what_went_wrong_and_by_its_words_what_to_do) {
  start_worker();
  apply("modules:\n" + orders_module("full") + orders_module("full", {"min_rows: 99"}, "broken") +
        orders_module("full", {"enabled: false"}, "off"));
  EXPECT_EQ(ctl({"run", "orders", "--watch"}).exit_code, 0);
  EXPECT_EQ(ctl({"run", "orders", "--dry-run", "--watch"}).exit_code, 0);
  const auto broken = ctl({"run", "broken", "--watch"});
  EXPECT_EQ(broken.exit_code, 4);
  EXPECT_THAT(broken.out, HasSubstr("at least 99 are expected (min_rows)"));
  struct Case {
    Words args;
    int code;
    std::string message;
  };
  const std::vector<Case> cases = {
      {{"run", "ordres"}, 3, "orders"},
      {{"run", "off"}, 3, "module enable off"},
      {{"run", "orders", "--set", "nope=1"}, 3, "no such watermark"},
      {{"run", "orders", "--set", "nope"}, 2, "NAME=VALUE"},
      {{"run"}, 2, "MODULE"},
      {{"rum", "orders"}, 2, "run"},
      {{"runs", "show", "999"}, 3, "no run 999"},
      {{"runs", "show", "x"}, 2, "number"},
      {{"run-group", "nowhere"}, 3, "nowhere"},
      {{"cancel", "1"}, 3, "ended already"},
      {{"connection", "test", "nowhere"}, 3, "nowhere"},
      {{"settings", "set", "nope", "1"}, 3, "log_head_bytes"},
      {{"apply", "-f", file("nowhere.yaml")}, 3, "nowhere.yaml"},
  };
  for (const auto& [args, code, message] : cases) {
    const auto result = ctl(args);
    EXPECT_EQ(result.exit_code, code) << args[0] << " " << result.err;
    EXPECT_THAT(result.err, AllOf(StartsWith("error: "), HasSubstr(message)));
    auto as_json = args;
    as_json.insert(as_json.end(), {"-o", "json"});
    const auto error = Json::parse(ctl(as_json).err, nullptr, false);
    ASSERT_TRUE(error.is_object()) << args[0];
    EXPECT_TRUE(error.at("error").at("code").is_string());
    EXPECT_TRUE(error.at("error").at("message").is_string());
  }
  system_.kill_broker();
  const auto alone = ctl({"--timeout", "1", "runs", "list"});
  EXPECT_EQ(alone.exit_code, 5);
  EXPECT_THAT(alone.err, HasSubstr("is it running?"));
}

TEST_F(CtlFlow, watching_a_run_prints_its_events_and_last_its_end) {
  start_worker();
  apply("modules:\n" + orders_module("full") + "groups:\n  - {name: g, members: [orders]}\n");
  const auto watched = lines_of(ctl({"run", "orders", "--watch", "-o", "json"}).out);
  ASSERT_GE(watched.size(), 3U);
  EXPECT_EQ(watched.front()["kind"], "run.queued");
  EXPECT_EQ(watched.back()["kind"], "run.finished");
  EXPECT_EQ(watched.back()["status"], "success");
  EXPECT_EQ(watched.back()["row_count"], 3);
  for (size_t i = 1; i < watched.size(); ++i) EXPECT_GT(watched[i]["seq"], watched[i - 1]["seq"]);
  const auto group = lines_of(ctl({"run-group", "g", "--watch", "-o", "json"}).out);
  EXPECT_EQ(group.back()["kind"], "group_run.finished");
  const auto shown = json({"group-runs", "show", "1"});
  EXPECT_EQ(shown["status"], "success");
  EXPECT_EQ(shown["members"].at(0)["module_name"], "orders");
}

TEST_F(CtlFlow, a_tail_ends_with_its_reader_and_with_an_interrupt) {
  start_worker();
  apply("modules:\n" + orders_module("full"));
  RunningProgram read_once(program_path("pipekit-ctl"), ctl_args({"events", "tail", "--since", "0"}));
  read_once.wait_for_out("worker.joined");
  read_once.close_out();
  const auto id = submit("orders");
  EXPECT_EQ(read_once.wait().exit_code, 0);
  wait(id);
  RunningProgram interrupted(program_path("pipekit-ctl"), ctl_args({"events", "tail", "--since", "0"}));
  interrupted.wait_for_out("run.finished");
  interrupted.signal(SIGINT);
  EXPECT_EQ(interrupted.wait().exit_code, 130);
}

TEST_F(CtlFlow, interrupting_a_watch_leaves_the_run_alone) {
  const auto id = [&] {
    apply("modules:\n" + orders_module("full"));
    RunningProgram watch(program_path("pipekit-ctl"), ctl_args({"run", "orders", "--watch"}));
    watch.wait_for_out("run.queued");
    watch.signal(SIGINT);
    const auto ended = watch.wait();
    EXPECT_EQ(ended.exit_code, 130);
    EXPECT_THAT(ended.err, HasSubstr("continues; pipekit-ctl cancel 1 ends it"));
    return int64_t{1};
  }();
  start_worker();
  EXPECT_THAT(wait(id), Ended("success"));
}

TEST_F(CtlFlow, lists_come_in_pages_and_in_each_format) {
  apply("modules:\n" + orders_module("full"));
  for (int i = 0; i < 5; ++i) cancel(submit("orders"));
  const auto ids = [&](Words more) {
    more.insert(more.begin(), {"runs", "list"});
    std::vector<int64_t> found;
    for (const auto& row : json(more)) found.push_back(row["id"]);
    return found;
  };
  EXPECT_THAT(ids({}), ::testing::ElementsAre(5, 4, 3, 2, 1));
  EXPECT_THAT(ids({"--limit", "2"}), ::testing::ElementsAre(5, 4));
  EXPECT_THAT(ids({"--limit", "2", "--before", "4"}), ::testing::ElementsAre(3, 2));
  EXPECT_THAT(ids({"--status", "success"}), ::testing::IsEmpty());
  EXPECT_THAT(ids({"--module", "orders", "--since", "1h"}), ::testing::SizeIs(5));
  const auto row = json({"runs", "list", "--limit", "1"}).at(0);
  for (const auto* field :
       {"id", "module_id", "module_name", "group_run_id", "attempt", "worker", "queued_at", "started_at", "finished_at",
        "row_count", "status", "error", "watermark_values_json", "triggered_by"}) {
    EXPECT_TRUE(row.contains(field)) << field;
  }
  EXPECT_THAT(row["queued_at"].get<std::string>(), ::testing::MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9][0-9][0-9]Z"));
  EXPECT_THAT(ctl({"runs", "list", "-o", "csv"}).out, StartsWith("id,module_name,status,"));
  EXPECT_THAT(ctl({"runs", "list", "-o", "yaml", "--limit", "1"}).out, HasSubstr("status: cancelled"));
  EXPECT_THAT(ctl({"runs", "list"}).out, HasSubstr("MODULE"));
}

TEST_F(CtlFlow, a_preview_and_a_connection_test_answer_without_changing_anything) {
  start_worker();
  dst_->execute("INSERT INTO orders VALUES (2, 'old', 1)");
  apply("modules:\n" +
        orders_module("incremental",
                      {"merge_key: id", "source_query: SELECT id, customer, total FROM orders WHERE id > {last}",
                       "watermarks:", "  - {name: last, connection: dst, resolver_sql: SELECT max(id) FROM orders}"}));
  EXPECT_EQ(json({"connection", "test", "dst"})["ok"], true);
  const auto preview = json({"module", "preview", "orders"});
  EXPECT_EQ(preview["source_sql"], "SELECT id, customer, total FROM orders WHERE id > 2");
  EXPECT_EQ(preview["watermarks"]["last"], "2");
  EXPECT_EQ(preview["columns"], Json::array({"id", "customer", "total"}));
  EXPECT_EQ(preview["rows"], Json::array({{"3", nullptr, "30"}}));
  EXPECT_EQ(json({"module", "preview", "orders", "--set", "last=0", "--rows", "1"})["rows"].size(), 1U);
  EXPECT_EQ(dst_->rows("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'pipekit%'"), "0");
}

class RestoredStore : public FlowTest {
 protected:
  RestoredStore() : FlowTest(BrokerOptions{.lease_s = 3}) {}
};

TEST_F(RestoredStore, a_table_of_another_store_is_taken_over_on_an_operators_word_only) {
  for (auto* database : {src_.get(), dst_.get()}) database->execute(kOrders);
  src_->execute(kThreeOrders);
  start_worker();
  apply("modules:\n" + orders_module("full"));
  EXPECT_EQ(ctl({"run", "orders", "--watch"}).exit_code, 0);
  const std::string store = json({"status"})["broker"]["store_id"];
  system_.kill_broker();
  new_sqlite(system_.data_dir() + "/pipekit.db")->execute("DELETE FROM meta WHERE key = 'store_id'");
  system_.start_broker();

  const auto refused = ctl({"run", "orders", "--watch"});
  EXPECT_EQ(refused.exit_code, 4);
  const auto why = json({"runs", "show", "2"});
  EXPECT_EQ(why["error_code"], "other_store");
  EXPECT_THAT(ctl({"runs", "show", "2"}).out, HasSubstr("take-over orders --from " + store));
  EXPECT_EQ(ctl({"module", "take-over", "orders", "--from", "elsewhere"}).exit_code, 3);
  EXPECT_EQ(ctl({"module", "take-over", "orders"}).exit_code, 3);
  EXPECT_EQ(ctl({"run", "orders", "--watch"}).exit_code, 4) << "still not its own";

  const auto taken = ctl({"module", "take-over", "orders", "--from", store});
  EXPECT_EQ(taken.exit_code, 0) << taken.err;
  const auto again = ctl({"run", "orders", "--watch"});
  EXPECT_EQ(again.exit_code, 0) << again.out;
  EXPECT_EQ(dst_->rows("SELECT count(*) FROM orders"), "3");
}

}  // namespace
}  // namespace pipekit::test
