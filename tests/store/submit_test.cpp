// Submit, assign, facts, final status; resends; refused requests leave nothing behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/dialogue.h"

namespace pipekit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Submit : public testing::Test, protected test::Dialogue {
 protected:
  Submit()
      : Dialogue(test::document_of({{{"name", "orders"}},
                                    {{"name", "customers"}},
                                    {{"name", "idle"}, {"enabled", false}},
                                    {{"name", "urgent"}, {"priority", 9}}})) {
    start_ = store::events::last_seq(*db);
  }
  std::vector<std::string> news() { return events(start_); }
  Request run_request(const std::string& module, int64_t number) {
    Request request;
    request.client = "c";
    request.number = number;
    request.verb = "run";
    request.args = {{"module", module}};
    return request;
  }
  int64_t start_ = 0;
  test::FakeWorker w1{*this, "w1"};
};

TEST_F(Submit, goes_from_the_queue_to_success) {
  w1.join();
  EXPECT_THAT(w1.heard(), ElementsAre("welcome"));
  const auto reply = done("run", {{"module", "orders"}});
  const RunId run{reply["run_id"]};
  EXPECT_EQ(reply["seq"], start_ + 2) << "of its run.queued event, after worker.joined";
  EXPECT_EQ(status(run), "running");
  EXPECT_THAT(w1.heard(), ElementsAre("assign 1/1")) << "in the same turn";
  const auto key = w1.take();
  EXPECT_EQ(w1.assignment().module.name, "orders");
  EXPECT_EQ(w1.assignment().heartbeat, 1);
  EXPECT_FALSE(w1.assignment().store.empty());
  EXPECT_THAT(w1.assignment().earlier, IsEmpty());
  w1.begin(key);
  w1.tell(key, fact::Step{0, "transfer", ""});
  w1.tell(key, fact::Log{0, {{false, "hello"}, {true, "world"}}});
  w1.tell(key, fact::Progress{0, 10});
  w1.merge(key);
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #1", "ack 1/1 #2", "ack 1/1 #3", "ack 1/1 #4", "ack 1/1 #5"));
  w1.finish(key, "success", "merged");
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #6"));
  EXPECT_EQ(end_of(run), "success");
  EXPECT_EQ(count("SELECT row_count FROM run_log"), 42);
  EXPECT_EQ(count("SELECT fact_seq FROM attempt"), 6);
  EXPECT_THAT(news(), ElementsAre("worker.joined", "run.queued 1", "run.assigned 1", "run.started 1", "run.step 1",
                                  "run.log 1 x2", "run.progress 1", "run.step 1", "run.finished 1"));
  EXPECT_EQ(RunId{2}, this->run("orders")) << "the lock is gone with the final status";
}

TEST_F(Submit, is_refused_while_the_module_is_locked) {
  const auto first = run("orders");
  const auto queued = ask("run", {{"module", "orders"}});
  EXPECT_EQ(queued.error->code, "already_running");
  EXPECT_THAT(queued.error->message, HasSubstr("already queued: run 1"));
  w1.join();
  const auto running = ask("run", {{"module", "orders"}});
  EXPECT_THAT(running.error->message, HasSubstr("run 1 on worker w1"));
  EXPECT_THAT(running.error->hint, HasSubstr("runs logs 1"));
  EXPECT_EQ(count("SELECT count(*) FROM run_log"), 1);
  w1.finish(w1.take(), "error", "none", "x");
  EXPECT_EQ(end_of(first), "error x");
}

TEST_F(Submit, dispatches_by_priority_and_then_by_age) {
  run("customers");
  run("orders");
  run("urgent");
  w1.slots = 2;
  w1.join();
  EXPECT_THAT(w1.heard(), ElementsAre("welcome", "assign 3/1", "assign 1/2"));
  EXPECT_EQ(done("why", {{"run_id", 2}})["reasons"][0]["text"],
            "run 2 is queued: no free slot on a worker that may run it (runs 1, 3)");
}

TEST_F(Submit, applies_each_fact_once_and_in_order) {
  w1.join();
  run("orders");
  const auto key = w1.take();
  w1.tell(key, 1, fact::Started{});
  w1.tell(key, 1, fact::Started{});
  w1.tell(key, 3, fact::Progress{0, 3});
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #1", "ack 1/1 #1", "ack 1/1 #1")) << "#3 ran ahead and comes again";
  w1.tell(key, 2, fact::Progress{0, 2});
  w1.tell(key, 3, fact::Progress{0, 3});
  EXPECT_THAT(w1.heard(), ElementsAre("ack 1/1 #2", "ack 1/1 #3"));
  EXPECT_THAT(events(start_ + 3), ElementsAre("run.started 1", "run.progress 1", "run.progress 1"));
}

TEST_F(Submit, is_answered_again_when_it_comes_again) {
  const auto first = ask(run_request("orders", 1));
  auto again = run_request("orders", 1);
  again.age_ms = 599'000;
  EXPECT_EQ(ask(again).body, first.body);
  restart();
  EXPECT_EQ(ask(again).body, first.body) << "from the store";
  EXPECT_EQ(count("SELECT count(*) FROM run_log"), 1);
  EXPECT_EQ(ask(run_request("orders", 2)).error->code, "already_running");
}

TEST_F(Submit, is_recognised_although_the_clock_was_set_before_a_restart) {
  const auto first = ask(run_request("orders", 1));
  done("cancel", {{"run_id", first.body["run_id"]}});
  for (const auto by : {std::chrono::hours{5}, std::chrono::hours{-9}}) {
    wall += by;
    restart();
    EXPECT_EQ(ask(run_request("orders", 1)).body, first.body);
  }
  EXPECT_EQ(count("SELECT count(*) FROM run_log"), 1);
}

TEST_F(Submit, is_answered_again_within_one_turn) {
  TurnInput input;
  for (int i = 0; i < 2; ++i) {
    input.from_clients.push_back({"client", encode(ClientToBroker{run_request("orders", 1)})});
  }
  turn(std::move(input));
  ASSERT_EQ(replies.size(), 3U) << "apply's and two";
  EXPECT_EQ(replies[1].body, replies[2].body);
  EXPECT_FALSE(replies[2].error);
}

TEST_F(Submit, is_refused_when_it_comes_again_too_late_to_be_recognised) {
  auto late = run_request("orders", 1);
  late.age_ms = 600'000;
  EXPECT_EQ(ask(late).error->code, "stale_request");
  EXPECT_EQ(count("SELECT count(*) FROM run_log"), 0);
  Request change = run_request("orders", 2);
  change.verb = "module.disable";
  change.args = {{"name", "orders"}};
  change.age_ms = 86'399'000;
  EXPECT_FALSE(ask(change).error);
  change.number = 3;
  change.age_ms = 86'400'000;
  EXPECT_EQ(ask(change).error->code, "stale_request");
}

TEST_F(Submit, of_a_change_is_answered_again_and_not_executed_again) {
  Request request = run_request("", 7);
  request.verb = "module.add";
  request.args = test::document_of({{{"name", "new"}}})["modules"][0];
  const auto first = ask(request);
  ASSERT_FALSE(first.error) << first.error->message;
  EXPECT_EQ(ask(request).body, first.body);
  restart();
  EXPECT_EQ(ask(request).body, first.body);
  request.number = 8;
  EXPECT_EQ(ask(request).error->code, "exists");
}

TEST_F(Submit, that_is_refused_leaves_no_row_and_no_number) {
  const auto last = store::events::last_seq(*db);
  const auto snapshots = count("SELECT count(*) FROM definition_snapshot");
  EXPECT_EQ(refused("run", {{"module", "idle"}}), "invalid");
  EXPECT_EQ(refused("run", {{"module", "ordres"}}), "not_found");
  EXPECT_EQ(refused("run", {{"module", "orders"}, {"set", {{"nope", "1"}}}}), "invalid");
  EXPECT_EQ(refused("run", {{"module", "orders"}, {"set", "x"}}), "invalid");
  EXPECT_EQ(refused("run", Json::object()), "not_found");
  EXPECT_EQ(refused("cancel", Json::object()), "invalid");
  EXPECT_EQ(refused("no.such.verb", Json::object()), "invalid");
  EXPECT_EQ(store::events::last_seq(*db), last);
  EXPECT_EQ(count("SELECT count(*) FROM definition_snapshot"), snapshots);
  EXPECT_EQ(count("SELECT count(*) FROM request WHERE client = 'local' || char(10) || 'ctl'"), 1) << "only the apply";
}

TEST_F(Submit, that_is_refused_leaves_the_others_of_its_turn_alone) {
  TurnInput input;
  int64_t number = 0;
  for (const auto* module : {"orders", "idle", "orders", "customers"}) {
    input.from_clients.push_back({"client", encode(ClientToBroker{run_request(module, ++number)})});
  }
  replies.clear();
  turn(std::move(input));
  ASSERT_EQ(replies.size(), 4U);
  EXPECT_FALSE(replies[0].error);
  EXPECT_EQ(replies[1].error->code, "invalid");
  EXPECT_EQ(replies[2].error->code, "already_running");
  EXPECT_FALSE(replies[3].error);
  EXPECT_EQ(replies[3].body["seq"], start_ + 2) << "the numbers have no gap";
  EXPECT_THAT(news(), ElementsAre("run.queued 1", "run.queued 2"));
}

TEST_F(Submit, uses_the_definition_as_it_was) {
  run("orders");
  done("module.update", {{"name", "orders"}, {"set", {{"source_query", "SELECT 2"}}}});
  w1.join();
  EXPECT_EQ(w1.assignment().module.source_query, "SELECT 1");
  w1.finish(w1.take(), "error", "none", "x");
  run("orders");
  EXPECT_EQ(w1.assignment().module.source_query, "SELECT 2");
}

TEST_F(Submit, goes_on_when_its_module_is_deleted) {
  w1.join();
  const auto gone = run("orders");
  const auto key = w1.take();
  EXPECT_EQ(refused("module.remove", {{"name", "orders"}}), "accepted");
  restart();
  w1.join();
  w1.begin(key);
  w1.finish(key, "success", "merged");
  EXPECT_EQ(end_of(gone), "success");
  EXPECT_EQ(refused("run", {{"module", "orders"}}), "not_found");
}

TEST_F(Submit, does_not_use_a_definition_that_was_rolled_back) {
  EXPECT_EQ(refused("run", {{"module", "orders"}, {"set", {{"nope", "1"}}}}), "invalid") << "cached, and rolled back";
  auto other = test::document_of({{{"name", "customers"}, {"source_query", "SELECT 'never'"}}});
  done("diff", {{"document", other}});
  done("apply", {{"document", other}, {"dry_run", true}});
  w1.join();
  run("customers");
  EXPECT_EQ(w1.assignment().module.name, "customers");
  EXPECT_EQ(w1.assignment().module.source_query, "SELECT 1");
  w1.take();
  restart();
  w1.join();
  EXPECT_THAT(w1.heard(), ElementsAre("welcome")) << "the snapshot it refers to stands";
}

TEST_F(Submit, refuses_requests_that_nobody_could_have_meant) {
  Request nameless = run_request("orders", 1);
  nameless.client = "";
  EXPECT_EQ(ask(nameless).error->code, "malformed");
  EXPECT_EQ(ask(run_request("orders", 0)).error->code, "malformed");
  Request odd = run_request("orders", 1);
  odd.args = Json::array();
  EXPECT_EQ(ask(odd).error->code, "malformed");
  odd.args = {{"module", {{"a", 1}}}};
  EXPECT_EQ(ask(odd).error->code, "not_found");
  TurnInput input;
  input.from_clients.push_back({"client", {"\x01\x09", "\x80"}});
  input.from_clients.push_back({"client", {"", ""}});
  input.from_workers.push_back({"nobody", {"\x09", "x"}});
  input.from_workers.push_back({"nobody", encode(WorkerToBroker{Fact{}})});
  input.from_workers.push_back({"nobody", encode(WorkerToBroker{Goodbye{}})});
  input.from_workers.push_back({"nobody", encode(WorkerToBroker{TaskResult{}})});
  input.from_workers.push_back({"nobody", encode(WorkerToBroker{Hello{}})});
  turn(std::move(input));
  EXPECT_EQ(ask("status", Json::object()).body["broker"]["malformed_frames"], 7);
  EXPECT_EQ(count("SELECT count(*) FROM run_log"), 0);
}

TEST_F(Submit, keeps_connections_within_their_sessions) {
  done("connection.update", {{"name", "erp"}, {"set", {{"max_sessions", 1}}}});
  w1.join();
  run("orders");
  const auto key = w1.take();
  run("customers");
  EXPECT_THAT(w1.heard(), IsEmpty());
  EXPECT_THAT(done("why", {{"run_id", 2}})["reasons"][0]["text"].get<std::string>(),
              HasSubstr("connection erp is full (1 of 1 sessions)"));
  w1.finish(key, "success", "merged");
  EXPECT_THAT(w1.heard(), ElementsAre("assign 2/2", "ack 1/1 #1")) << "in the turn that made room";
}

}  // namespace
}  // namespace pipekit
