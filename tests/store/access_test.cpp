// Roles: the answer to each verb and message for each kind of key, and what a revoked key may still do.
#include "broker/access.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/queries.h"
#include "shared/key_file.h"
#include "tests/store/dialogue.h"

namespace pipekit::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class Access : public testing::Test, protected Dialogue {
 protected:
  Access() : Dialogue(document_of({{{"name", "m"}, {"retries", 1}}})) {
    for (const auto* role : {"viewer", "operator", "worker"}) keys_[role] = allow(role, role);
  }

  std::string allow(const std::string& name, const std::string& role) {
    const auto pair = new_key_pair();
    done("keys.allow", {{"name", name}, {"role", role}, {"public_key", pair.public_key}});
    return pair.public_key;
  }

  // The code of a refusal because of the role; "" for any other answer.
  std::string barred(const std::string& role, const std::string& verb, const Json& args = Json::object()) {
    client_key = keys_.at(role);
    const auto reply = ask(verb, args);
    client_key.clear();
    return reply.error && reply.error->code == "refused" ? "refused" : "";
  }

  // Everything that a viewer must not change.
  std::string everything() {
    std::string text;
    for (const auto* table :
         {"module", "run_log", "settings", "client_key", "schedule", "group_run", "audit", "request"}) {
      text += fmt::format("{} {} ", table, count(fmt::format("SELECT count(*) FROM {}", table)));
    }
    return text;
  }

  std::map<std::string, std::string> keys_;
};

TEST_F(Access, a_viewer_looks_an_operator_does_everything_a_worker_asks_nothing) {
  auto verbs = commands::verbs();
  const auto asked = queries::verbs();
  verbs.insert(verbs.end(), asked.begin(), asked.end());
  verbs.insert(verbs.end(), {"connection.test", "module.preview", "module.take_over", "task.drop"});
  const std::set<std::string> looking = {"audit.list",      "connection.list",
                                         "connection.show", "diff",
                                         "driver.list",     "driver.show",
                                         "export",          "group.list",
                                         "group.show",      "group_runs.list",
                                         "group_runs.show", "hook.list",
                                         "keys.list",       "module.list",
                                         "module.show",     "runs.list",
                                         "runs.logs",       "runs.show",
                                         "schedule.audit",  "schedule.list",
                                         "schedule.next",   "settings.get",
                                         "settings.list",   "status",
                                         "watermark.list",  "why",
                                         "workers.list"};
  for (const auto& verb : verbs) {
    EXPECT_EQ(barred("viewer", verb), looking.contains(verb) ? "" : "refused") << verb;
    EXPECT_EQ(barred("worker", verb), "refused") << verb;
    EXPECT_EQ(barred("operator", verb), "") << verb;
  }
}

TEST_F(Access, nothing_that_a_viewer_sends_changes_anything) {
  const auto before = everything();
  auto verbs = commands::verbs();
  for (const auto& verb : verbs) {
    for (const Json& args :
         {Json::object(), Json{{"module", "m"}}, Json{{"name", "m"}}, Json{{"id", 1}, {"run_id", 1}},
          Json{{"key", "runs_keep"}, {"value", 1}}, Json{{"document", {{"groups", Json::array()}}}}}) {
      barred("viewer", verb, args);
    }
  }
  EXPECT_EQ(everything(), before);
}

TEST_F(Access, a_worker_may_be_a_worker_and_nobody_else) {
  for (const auto* role : {"viewer", "operator"}) {
    FakeWorker worker{*this, "w"};
    worker.public_key = keys_.at(role);
    worker.hello();
    EXPECT_THAT(worker.heard(), ElementsAre(HasSubstr("refused"))) << role;
  }
  FakeWorker worker{*this, "w"};
  worker.public_key = keys_.at("worker");
  worker.join();
  EXPECT_THAT(worker.heard(), Contains("welcome"));
}

TEST_F(Access, what_a_worker_says_on_anothers_socket_is_not_heard) {
  FakeWorker worker{*this, "w"};
  worker.public_key = keys_.at("worker");
  worker.join();
  const auto id = run("m");
  const auto run_key = worker.take();
  const auto other = allow("other", "worker");
  worker.public_key = other;
  worker.finish(run_key, "success", "merged");
  EXPECT_EQ(status(id), "running");
}

TEST_F(Access, a_revoked_worker_is_cut_off_at_once_and_its_run_goes_to_another) {
  FakeWorker worker{*this, "w"};
  worker.public_key = keys_.at("worker");
  worker.join();
  const auto id = run("m");
  worker.begin(worker.take());
  worker.heard();
  done("keys.revoke", {{"name", "worker"}});
  EXPECT_THAT(worker.heard(), ElementsAre(HasSubstr("refused")));
  worker.beat();
  EXPECT_THAT(worker.heard(), ElementsAre(HasSubstr("refused")));
  const auto reason = done("why", {{"run_id", id.value}})["reasons"][0];
  EXPECT_THAT(reason["text"].get<std::string>(), HasSubstr("whose key was revoked"));
  wait(kLease + Millis{1});
  wait(Millis{60'000});
  EXPECT_EQ(status(id), "queued");
  FakeWorker second{*this, "w2"};
  second.join();
  EXPECT_EQ(second.assignments(), 1U);
}

TEST_F(Access, a_revoked_viewer_gets_nothing_more_of_the_event_log) {
  client_key = keys_.at("viewer");
  TailRequest request;
  request.after = count("SELECT max(last_seq) FROM event_chunk");
  tail(request);
  client_key.clear();
  tails.clear();
  done("keys.revoke", {{"name", "viewer"}});
  done("settings.set", {{"key", "claim_limit_s"}, {"value", 9}});
  wait(Millis{10'000});
  EXPECT_TRUE(tails.empty());
  EXPECT_EQ(barred("viewer", "status"), "refused");
}

TEST_F(Access, a_key_that_never_was_allowed_is_refused_where_no_handshake_did_it) {
  client_key = new_key_pair().public_key;
  EXPECT_EQ(ask("status", Json::object()).error->code, "refused");
}

TEST_F(Access, keys_are_checked_before_they_are_allowed) {
  const auto good = new_key_pair().public_key;
  EXPECT_EQ(refused("keys.allow", {{"name", ""}, {"role", "viewer"}, {"public_key", good}}), "invalid");
  for (const auto* name : {"a\u202Eb", "uid 0 (root)", " ", "x\x1b[2J", "a\nb"}) {
    EXPECT_EQ(refused("keys.allow", {{"name", name}, {"role", "viewer"}, {"public_key", good}}), "invalid") << name;
  }
  EXPECT_EQ(refused("keys.allow", {{"name", "x"}, {"role", "king"}, {"public_key", good}}), "invalid");
  EXPECT_EQ(refused("keys.allow", {{"name", "x"}, {"role", "viewer"}, {"public_key", "short"}}), "invalid");
  EXPECT_EQ(refused("keys.allow", {{"name", "viewer"}, {"role", "viewer"}, {"public_key", good}}), "exists");
  EXPECT_EQ(refused("keys.allow", {{"name", "y"}, {"role", "worker"}, {"public_key", keys_["viewer"]}}), "exists");
  EXPECT_EQ(refused("keys.revoke", {{"name", "nobody"}}), "not_found");
}

TEST_F(Access, the_audit_names_the_key_and_not_what_the_client_calls_itself) {
  client_key = keys_.at("operator");
  Request request;
  request.client = "c";
  request.number = 1;
  request.user = "root";
  request.verb = "module.disable";
  request.args = {{"name", "m"}};
  ask(request);
  client_key.clear();
  const auto newest = done("audit.list", {{"limit", 1}})[0];
  EXPECT_EQ(newest["who"], "operator");
  EXPECT_EQ(newest["verb"], "module.disable");
  EXPECT_EQ(newest["object"], "m");
  EXPECT_EQ(done("audit.list", {{"who", "nobody"}}), Json::array());
}

TEST_F(Access, keys_are_known_again_after_a_restart) {
  restart();
  EXPECT_EQ(barred("viewer", "status"), "");
  EXPECT_EQ(barred("viewer", "keys.revoke", {{"name", "worker"}}), "refused");
}

}  // namespace
}  // namespace pipekit::test
