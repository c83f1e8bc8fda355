// What one peer's frames may cost the broker, and whose answers count.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/store/events.h"
#include "tests/store/dialogue.h"

namespace pipekit::test {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Gate : public testing::Test, protected Dialogue {
 protected:
  Gate() : Dialogue(document_of({{{"name", "m"}}, {{"name", "n"}}})) {}

  // A body of which only number and verb can be decoded.
  static Frames undecodable(const std::string& verb) {
    Request request;
    request.client = "c";
    request.number = 5;
    request.verb = verb;
    auto frames = encode(ClientToBroker{request});
    EXPECT_EQ(frames.body.substr(frames.body.size() - 1), "\x80");
    frames.body.back() = '\xc4';  // args: binary, which no JSON has
    frames.body += std::string("\x01x", 2);
    return frames;
  }
  Reply send(const Frames& frames, const std::string& sender) {
    replies.clear();
    TurnInput input;
    input.from_clients.push_back({"client", frames, sender});
    turn(std::move(input));
    return replies.empty() ? Reply{} : replies.back();
  }
  int64_t status(const char* counter) { return done("status", Json::object())["broker"][counter]; }
  const std::string key = std::string(40, 'k');
};

TEST_F(Gate, nothing_is_decoded_for_a_key_that_is_not_allowed) {
  const auto malformed = status("malformed_frames");
  const auto reply = send(undecodable("status"), key);
  EXPECT_EQ(reply.number, 5);
  EXPECT_EQ(reply.error->code, "refused");
  EXPECT_EQ(status("malformed_frames"), malformed);
}

TEST_F(Gate, nothing_is_decoded_for_a_role_that_may_not_ask) {
  done("keys.allow", {{"name", "eve"}, {"role", "viewer"}, {"public_key", key}});
  const auto malformed = status("malformed_frames");
  for (const auto* verb : {"apply", "run", "module.add", "no.such.verb"}) {
    const auto reply = send(undecodable(verb), key);
    EXPECT_EQ(reply.number, 5) << verb;
    EXPECT_EQ(reply.error->code, "refused") << verb;
  }
  EXPECT_EQ(status("malformed_frames"), malformed);
  EXPECT_EQ(send(undecodable("why"), key).error->code, "malformed") << "what it may ask is decoded";
}

TEST_F(Gate, nothing_is_decoded_of_a_worker_without_that_role) {
  done("keys.allow", {{"name", "eve"}, {"role", "viewer"}, {"public_key", key}});
  const auto malformed = status("malformed_frames");
  const auto refused = status("refused");
  TurnInput input;
  input.from_workers.push_back({"peer", {std::string{1, 0}, "\xc1"}, key});
  turn(std::move(input));
  EXPECT_EQ(status("malformed_frames"), malformed);
  EXPECT_EQ(status("refused"), refused + 1);
}

TEST_F(Gate, a_question_with_long_arguments_is_refused_before_it_is_decoded) {
  EXPECT_EQ(refused("module.list", {{"x", std::string(100'000, 'x')}}), "too_large");
  EXPECT_EQ(refused("why", {{"module", std::string(100'000, 'x')}}), "too_large");
}

// --- heartbeats

TEST_F(Gate, attempts_that_are_listed_again_and_again_are_ended_once_a_turn) {
  FakeWorker worker(*this, "w");
  worker.join();
  worker.heard();
  Heartbeat heartbeat;
  for (int64_t i = 1; i <= 10'000; ++i) heartbeat.attempts.push_back({{i}, {i + 1000}});
  TurnInput input;
  for (int64_t i = 1; i <= 20; ++i) {
    heartbeat.number = i + 1;
    input.from_workers.push_back({worker.peer, encode(WorkerToBroker{heartbeat}), ""});
  }
  const auto output = turn(std::move(input));
  EXPECT_LE(output.sends.size(), 20U + 1000U) << "an answer each, and a thousand orders to end attempts";
  EXPECT_THAT(worker.heard(), Contains("kill 1/1001"));
}

TEST_F(Gate, an_assignment_that_is_not_listed_is_sent_again_once_a_turn) {
  FakeWorker worker(*this, "w");
  worker.join();
  run("m");
  worker.heard();
  TurnInput input;
  for (int64_t i = 2; i <= 50; ++i) {
    input.from_workers.push_back({worker.peer, encode(WorkerToBroker{Heartbeat{i, false, {}, {}}}), ""});
  }
  turn(std::move(input));
  EXPECT_EQ(worker.heard(), std::vector<std::string>{"assign 1/1"});
}

// --- facts and tails

TEST_F(Gate, facts_that_no_worker_tells_grow_no_store) {
  FakeWorker worker(*this, "w");
  worker.join();
  run("m");
  const auto key_of_run = worker.take();
  worker.begin(key_of_run);
  const auto before = count("SELECT sum(length(body)) FROM event_chunk");
  for (int i = 0; i < 3; ++i) {
    worker.tell(key_of_run, 2, fact::Step{0, std::string(15U << 20U, 'x'), ""});
    worker.tell(key_of_run, 2, fact::Step{0, "claim", std::string(15U << 20U, 'x')});
    fact::Log log;
    log.lines.resize(15, LogLine{false, std::string(1U << 20U, 'x')});
    worker.tell(key_of_run, 2, log);
  }
  EXPECT_LT(count("SELECT sum(length(body)) FROM event_chunk"), before + 10'000);
  worker.tell(key_of_run, 2, fact::Step{0, "claim", std::string(1'000'000, 'x')});
  EXPECT_LT(count("SELECT sum(length(body)) FROM event_chunk"), before + 100'000) << "an event's texts are cut";
}

TEST_F(Gate, steps_without_end_make_no_events_without_end) {
  FakeWorker worker(*this, "w");
  worker.join();
  run("m");
  const auto key_of_run = worker.take();
  worker.begin(key_of_run);
  TurnInput input;
  for (int64_t i = 2; i < 12'000; ++i) {
    input.from_workers.push_back(
        {worker.peer, encode(WorkerToBroker{Fact{key_of_run, i, fact::Step{0, "claim", "x"}}}), ""});
  }
  turn(std::move(input));
  EXPECT_LE(store::events::last_seq(*db), 10'100);
  EXPECT_THAT(worker.heard(), Contains("ack 1/1 #11999"));
}

int64_t told(const TailReply& reply) { return static_cast<int64_t>(encode(BrokerToClient{reply}).body.size()); }

TEST_F(Gate, a_tail_gets_the_events_of_a_large_turn_in_pages) {
  Json modules = Json::array();
  for (int i = 0; i < 20'000; ++i) modules.push_back({{"name", "page" + std::to_string(i)}});
  const auto before = store::events::last_seq(*db);
  done("apply", {{"document", document_of(modules)}});
  for (const bool from_store : {false, true}) {
    if (from_store) restart();
    int64_t after = before;
    int64_t events = 0;
    int pages = 0;
    for (; after < store::events::last_seq(*db); ++pages) {
      const auto replies_of_tail = tail({1, after, false, {}});
      ASSERT_EQ(replies_of_tail.size(), 1U);
      const auto& reply = replies_of_tail.front();
      EXPECT_LT(told(reply), 2 << 20U);
      ASSERT_GT(reply.next, after) << "it goes on";
      for (const auto& event : reply.events) EXPECT_EQ(event.seq, before + ++events);
      after = reply.next;
    }
    EXPECT_EQ(events, 20'000);
    EXPECT_GT(pages, 3);
  }
}

TEST_F(Gate, an_event_larger_than_any_frame_blocks_no_tail) {
  Event large;
  large.seq = store::events::last_seq(*db) + 1;
  large.kind = "run.step";
  large.fields = {{"detail", std::string(20U << 20U, 'x')}};
  LogChunk log;
  log.first_seq = large.seq + 1;
  log.lines = {{false, std::string(20U << 20U, 'y')}, {false, "small"}};
  store::events::append(*db, {large.seq, large.seq, std::vector{large}});
  store::events::append(*db, {log.first_seq, log.first_seq + 1, log});
  restart();
  std::vector<std::string> seen;
  for (int64_t after = large.seq - 1; after < store::events::last_seq(*db);) {
    const auto answers = tail({1, after, false, {}});
    ASSERT_EQ(answers.size(), 1U);
    ASSERT_GT(answers.front().next, after);
    EXPECT_LT(told(answers.front()), 3 << 20U);
    for (const auto& event : answers.front().events) seen.push_back(event.fields.dump());
    for (const auto& chunk : answers.front().logs) {
      for (const auto& line : chunk.lines) seen.push_back(line.text.substr(line.text.size() - 5));
    }
    after = answers.front().next;
  }
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_THAT(seen[0], HasSubstr("left_out_bytes"));
  EXPECT_EQ(seen[2], "small");
}

// --- questions

class OpenQuestions : public Gate {
 protected:
  Reply test_connection(int64_t number, const std::string& process = "7:7:1") {
    Request request;
    request.client = "c" + process;
    request.number = number;
    request.verb = "connection.test";
    request.args = {{"name", "wh"}};
    Received received;
    received.peer = "peer " + process;
    received.frames = encode(ClientToBroker{request});
    received.process = process;
    replies.clear();
    TurnInput input;
    input.from_clients.push_back(received);
    turn(std::move(input));
    return replies.empty() ? Reply{} : replies.back();
  }
  void answer(FakeWorker& worker, int64_t task) { worker.say(TaskResult{task, std::nullopt, {{"ok", true}}}); }
};

TEST_F(OpenQuestions, at_a_worker_are_no_more_than_its_slots) {
  FakeWorker worker(*this, "w");
  worker.slots = 3;
  worker.join();
  for (int64_t i = 1; i <= 3; ++i) EXPECT_EQ(test_connection(i).number, 0) << "asked";
  const auto refused = test_connection(4);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code, "overloaded");
  EXPECT_GT(refused.body["retry_after_ms"], 0) << "the client asks again by itself";
  answer(worker, worker.task);
  EXPECT_EQ(test_connection(4).number, 0) << "there is room again";
}

TEST_F(OpenQuestions, are_spread_over_the_workers_that_suit) {
  FakeWorker one(*this, "w1");
  FakeWorker two(*this, "w2");
  one.slots = two.slots = 2;
  one.join();
  two.join();
  one.heard();
  two.heard();
  for (int64_t i = 1; i <= 4; ++i) EXPECT_EQ(test_connection(i).number, 0);
  EXPECT_EQ(one.heard().size(), 2U);
  EXPECT_EQ(two.heard().size(), 2U);
}

TEST_F(OpenQuestions, of_one_client_leave_room_for_others) {
  FakeWorker worker(*this, "w");
  worker.slots = 100;
  worker.join();
  int64_t asked = 0;
  while (!test_connection(asked + 1).error) ++asked;
  EXPECT_EQ(asked, Tasks::kMostOfOne);
  EXPECT_EQ(test_connection(1, "8:8:2").number, 0);
}

TEST_F(OpenQuestions, are_ended_by_the_worker_that_was_asked_and_no_other) {
  FakeWorker worker(*this, "w");
  FakeWorker evil(*this, "evil");
  worker.join();
  evil.tags = {};
  EXPECT_EQ(test_connection(1).number, 0);
  evil.join();
  replies.clear();
  answer(evil, worker.task);
  EXPECT_THAT(replies, IsEmpty());
  answer(worker, worker.task);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies.front().body["worker"], "w");
}

// --- names and references

class Names : public Gate {
 protected:
  Json fields(const Json& more) {
    Json whole = {{"name", "new"},     {"source_connection", "erp"}, {"dest_connection", "wh"},
                  {"dest_table", "t"}, {"source_query", "SELECT 1"}, {"merge_strategy", "full"}};
    whole.update(more);
    return whole;
  }
};

TEST_F(Names, of_new_objects_are_no_numbers_and_have_no_character_that_nobody_sees) {
  for (const auto* name : {"2", "007", "a\xe2\x80\xae", "a\xc2\x85",
                           "a\xe2\x80\xa8"
                           "b",
                           "a\xe2\x80\x8b", "a\xc2\x9b"}) {
    EXPECT_EQ(refused("module.add", fields({{"name", name}})), "invalid") << name;
    EXPECT_EQ(refused("group.add", {{"name", name}}), "invalid") << name;
    EXPECT_EQ(refused("connection.add", {{"name", name}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:/x"}}),
              "invalid")
        << name;
    EXPECT_EQ(refused("module.update", {{"name", "m"}, {"set", {{"name", name}}}}), "invalid") << name;
    EXPECT_EQ(refused("apply", {{"document", {{"groups", {{{"name", name}}}}}}}), "invalid") << name;
  }
  EXPECT_EQ(refused("connection.update", {{"name", "wh"}, {"set", {{"required_tags", {"a\xe2\x80\xae"}}}}}), "invalid");
}

TEST_F(Names, that_an_older_broker_allowed_do_not_prevent_edits) {
  db->run("UPDATE module SET name = '2' WHERE name = 'm'");
  restart();
  EXPECT_EQ(done("module.update", {{"name", "2"}, {"set", {{"priority", 5}}}})["priority"], 5);
  done("apply", {{"document", document_of({{{"name", "2"}, {"priority", 6}}})}});
  EXPECT_EQ(done("module.show", {{"name", "2"}})["priority"], 6);
}

TEST_F(Names, and_never_ids_are_references_inside_a_definition) {
  for (const Json& reference : {Json("2"), Json(2)}) {
    EXPECT_EQ(refused("apply", {{"document", {{"groups", {{{"name", "g"}, {"members", {reference}}}}}}}}), "invalid");
    EXPECT_EQ(refused("module.add", fields({{"source_connection", reference}})), "invalid");
    EXPECT_EQ(refused("group.add", {{"name", "g"}, {"members", {reference}}}), "invalid");
  }
  const auto reply = ask("apply", {{"document", {{"groups", {{{"name", "g"}, {"members", {"2"}}}}}}}});
  EXPECT_THAT(reply.error->message, HasSubstr("groups[0].members[0].module: there is no module '2'"));
  EXPECT_THAT(reply.error->hint, HasSubstr("the module with the id 2 is 'n'"));
}

TEST_F(Names, may_be_ids_where_a_verb_names_one_object) {
  done("group.add", {{"name", "g"}});
  EXPECT_EQ(done("group.add_member", {{"group", "1"}, {"module", "2"}})["members"][0]["module"], "n");
  EXPECT_EQ(done("module.show", {{"name", "2"}})["name"], "n");
}

TEST_F(Names, a_schedule_whose_zone_is_gone_does_not_prevent_other_edits_of_its_group) {
  done(
      "group.add",
      {{"name", "g"}, {"members", {"m"}}, {"schedules", {{{"cron_expr", "0 3 * * *"}}, {{"cron_expr", "0 4 * * *"}}}}});
  db->run("UPDATE schedule SET timezone = 'Gone/Zone' WHERE id = 1");
  restart();
  done("group.add_member", {{"group", "g"}, {"module", "n"}});
  done("schedule.disable", {{"id", 2}});
  done("schedule.disable", {{"id", 1}});
  done("group.update", {{"name", "g"}, {"set", {{"stop_on_failure", true}}}});
  done("apply", {{"document", {{"groups", {{{"name", "g"}, {"members", {"n", "m"}}}}}}}});
  EXPECT_EQ(refused("schedule.add", {{"group", "g"}, {"cron_expr", "0 5 * * *"}, {"timezone", "Gone/Zone"}}), "invalid")
      << "a new one needs a zone that exists";
  EXPECT_EQ(refused("schedule.update", {{"id", 2}, {"set", {{"timezone", "Gone/Zone"}}}}), "invalid");
  done("schedule.remove", {{"id", 1}});
}

// --- the audit

TEST_F(Gate, the_audit_of_a_large_apply_has_what_changed_and_not_the_document) {
  Json modules = Json::array();
  for (int i = 0; i < 5000; ++i) modules.push_back({{"name", "audit" + std::to_string(i)}});
  done("apply", {{"document", document_of(modules)}});
  modules[7]["priority"] = 3;
  done("apply", {{"document", document_of(modules)}});
  const auto row = done("audit.list", {{"limit", 1}}).at(0);
  EXPECT_EQ(row["args"], Json::object());
  ASSERT_EQ(row["after"].size(), 1U);
  EXPECT_EQ(row["after"][0]["fields"], (Json{{"priority", {{"from", 0}, {"to", 3}}}}));
  EXPECT_LT(count("SELECT max(length(args_json) + coalesce(length(after_json), 0)) FROM audit"), 1'200'000);
}

TEST_F(Gate, the_audit_is_told_in_pages_that_fit_into_a_frame) {
  const std::string large(900'000, 'x');
  for (int i = 0; i < 20; ++i) {
    db->run("INSERT INTO audit (at, who, verb, object, args_json) VALUES (?, 'w', 'old', ?, ?)", i, i,
            Json{{"document", large}}.dump());
  }
  db->run("INSERT INTO audit (at, who, verb, object, args_json) VALUES (0, 'w', 'old', 'x', ?)",
          Json{{"document", std::string(17U << 20U, 'x')}}.dump());
  std::vector<int64_t> ids;
  int pages = 0;
  for (Json before = nullptr; pages == 0 || !before.is_null(); ++pages) {
    const auto page = done("audit.list", {{"verb", "old"}, {"before", before}, {"limit", 1000}, {"paged", true}});
    EXPECT_LT(page.dump().size(), 5U << 20U);
    for (const auto& row : page["rows"]) ids.push_back(row["id"]);
    before = page["next"];
  }
  EXPECT_EQ(ids.size(), 21U);
  EXPECT_TRUE(std::ranges::is_sorted(ids, std::greater<>()));
  EXPECT_GT(pages, 5);
}

}  // namespace
}  // namespace pipekit::test
