// Where runs and tasks may go: drained workers, sessions of connections, groups in parallel, protocol versions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/dialogue.h"

namespace pipekit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Json kModules = Json::parse(R"([{"name": "a1"}, {"name": "a2"}, {"name": "a3"}, {"name": "b1"}, {"name": "b2"},
                                      {"name": "orders"}])");
const Json kGroups =
    Json::parse(R"([{"name": "a", "members": ["a1", "a2", "a3"]}, {"name": "b", "members": ["b1", "b2"]}])");

class Placement : public testing::Test, protected test::Dialogue {
 protected:
  Placement() : Dialogue(test::document_of(kModules, kGroups)) {}
  // The requests of one client, which knows their numbers.
  static Request impatient(int64_t number, const std::string& verb, const Json& args) {
    Request request;
    request.client = "impatient";
    request.number = number;
    request.verb = verb;
    request.args = args;
    return request;
  }
  test::FakeWorker w1{*this, "w1"};
};

TEST_F(Placement, gives_a_drained_worker_nothing_until_it_is_resumed) {
  w1.join();
  EXPECT_EQ(done("workers.drain", {{"name", "w1"}})["busy"], 0);
  const auto waiting = run("orders");
  EXPECT_EQ(status(waiting), "queued");
  const auto reason = done("why", {{"module", "orders"}})["reasons"][0];
  EXPECT_THAT(reason["text"].get<std::string>(), HasSubstr("w1 is drained"));
  EXPECT_EQ(reason["hint"], "pipekit-ctl workers resume w1");
  const auto question = ask("connection.test", {{"name", "wh"}});
  ASSERT_TRUE(question.error);
  EXPECT_EQ(question.error->message, "no worker is available: w1 is drained");
  EXPECT_EQ(question.error->hint, "pipekit-ctl workers resume w1");
  done("workers.resume", {{"name", "w1"}});
  EXPECT_EQ(status(waiting), "running") << "in the turn of the command";
}

TEST_F(Placement, lets_what_runs_on_a_drained_worker_end_and_then_says_so) {
  w1.join();
  const auto under_way = run("orders");
  const auto key = w1.take();
  w1.begin(key);
  const auto reply = done("workers.drain", {{"name", "w1"}});
  EXPECT_EQ(reply["busy"], 1);
  EXPECT_THAT(events(reply["seq"]), ElementsAre("worker.draining"));
  w1.finish(key, "success", "merged");
  EXPECT_EQ(status(under_way), "success");
  EXPECT_EQ(events(reply["seq"]).back(), "worker.drained");
  const auto told = events().size();
  w1.beat();
  turn();
  EXPECT_EQ(events().size(), told) << "once";
}

TEST_F(Placement, remembers_a_drain_across_restarts_of_the_worker_and_of_the_broker) {
  w1.join();
  done("workers.drain", {{"name", "w1"}});
  w1.say(Goodbye{});
  test::FakeWorker next(*this, "w1", "i2", "s2");
  next.join();
  const auto waiting = run("orders");
  EXPECT_EQ(status(waiting), "queued");
  restart();
  next.join();
  EXPECT_EQ(status(waiting), "queued");
  done("workers.resume", {{"name", "w1"}});
  EXPECT_EQ(status(waiting), "running");
}

TEST_F(Placement, tells_of_a_drain_in_the_audit_once) {
  w1.join();
  done("workers.drain", {{"name", "w1"}});
  done("workers.drain", {{"name", "w1"}});
  EXPECT_EQ(count("SELECT count(*) FROM audit WHERE verb = 'workers.drain' AND object = 'w1'"), 1);
  EXPECT_EQ(refused("workers.drain", {{"name", "w9"}}), "not_found");
  EXPECT_EQ(refused("workers.resume", Json::object()), "not_found");
}

TEST_F(Placement, lets_groups_take_turns) {
  done("run_group", {{"group", "a"}});
  done("run_group", {{"group", "b"}});
  w1.slots = 1;
  w1.join();
  std::vector<std::string> order;
  while (count("SELECT count(*) FROM run_log WHERE status = 'running'") > 0) {
    const auto key = w1.take();
    order.push_back(db->value<std::string>("SELECT module_name FROM run_log WHERE id = ?", key.run).value_or(""));
    w1.begin(key);
    w1.finish(key, "success", "merged");
  }
  EXPECT_THAT(order, ElementsAre("a1", "b1", "a2", "b2", "a3"));
}

TEST_F(Placement, counts_questions_among_the_sessions_of_their_connections) {
  done("connection.update", {{"name", "wh"}, {"set", {{"max_sessions", 1}}}});
  w1.join();
  ask("connection.test", {{"name", "wh"}});
  const auto waiting = run("orders");
  EXPECT_EQ(status(waiting), "queued");
  const auto reason = done("why", {{"module", "orders"}})["reasons"][0];
  EXPECT_EQ(reason["code"], "connection_full");
  EXPECT_THAT(reason["text"].get<std::string>(), HasSubstr("(1 of 1 sessions, 1 of a test or preview)"));
  const auto second = ask("connection.test", {{"name", "wh"}});
  ASSERT_TRUE(second.error);
  EXPECT_THAT(second.error->message, HasSubstr("connection wh is full"));
  w1.say(TaskResult{w1.task, std::nullopt, Json::object()});
  EXPECT_EQ(status(waiting), "running");
}

TEST_F(Placement, frees_the_sessions_of_a_question_that_nobody_waits_for) {
  done("connection.update", {{"name", "wh"}, {"set", {{"max_sessions", 1}}}});
  w1.join();
  ask(impatient(1, "connection.test", {{"name", "wh"}}));
  const auto waiting = run("orders");
  w1.heard();
  EXPECT_EQ(ask(impatient(2, "task.drop", {{"number", 1}})).body["dropped"], true);
  EXPECT_EQ(w1.heard().front(), "drop task");
  EXPECT_EQ(status(waiting), "running");
  EXPECT_EQ(ask(impatient(3, "task.drop", {{"number", 1}})).body["dropped"], false);
}

TEST_F(Placement, sends_an_older_worker_nothing_that_it_does_not_know) {
  w1.protocol = {1, 1};
  w1.join();
  ask(impatient(1, "connection.test", {{"name", "wh"}}));
  w1.heard();
  EXPECT_EQ(ask(impatient(2, "task.drop", {{"number", 1}})).body["dropped"], true);
  EXPECT_THAT(w1.heard(), IsEmpty());
}

TEST_F(Placement, refuses_a_worker_that_says_too_much_of_itself) {
  const auto refused = [&](auto change) {
    test::FakeWorker worker(*this, "w9");
    change(worker);
    worker.hello();
    return worker.heard() == std::vector<std::string>{"refused malformed"};
  };
  EXPECT_TRUE(refused([](auto& worker) { worker.tags = {std::string(201, 'x')}; }));
  EXPECT_TRUE(refused([](auto& worker) { worker.tags.assign(101, "t"); }));
  EXPECT_TRUE(refused([](auto& worker) { worker.drivers = {"a\nb"}; }));
  EXPECT_TRUE(refused([](auto& worker) { worker.name = "w\x1b[2J"; }));
  EXPECT_TRUE(refused([](auto& worker) { worker.state_id = std::string(1 << 20, 's'); }));
  EXPECT_EQ(count("SELECT count(*) FROM worker"), 0);
}

TEST_F(Placement, refuses_a_worker_of_no_common_version_by_its_name_and_both_versions) {
  w1.protocol = {8, 9};
  w1.hello();
  EXPECT_THAT(w1.heard(), ElementsAre("refused version_mismatch"));
  EXPECT_THAT(w1.refusal, HasSubstr("worker w1 (0) on host speaks protocol versions 8 to 9, this broker ("));
  w1.protocol = {2, 9};
  w1.hello();
  EXPECT_THAT(w1.heard(), ElementsAre("welcome"));
}

}  // namespace
}  // namespace pipekit
