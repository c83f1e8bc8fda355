// Whose a worker's name is, and what its key may claim.
#include "broker/store/worker_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/sender.h"
#include "shared/key_file.h"
#include "tests/store/dialogue.h"

namespace pipekit::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class WorkerNames : public testing::Test, protected Dialogue {
 protected:
  WorkerNames() : Dialogue(document_of({{{"name", "m"}, {"retries", 1}}})) {}

  std::string allow(const std::string& name, Json claims = Json::object()) {
    const auto pair = new_key_pair();
    claims.update({{"name", name}, {"role", "worker"}, {"public_key", pair.public_key}});
    done("keys.allow", claims);
    return pair.public_key;
  }
  FakeWorker worker(const std::string& name, const std::string& key, const std::string& incarnation = "i1") {
    FakeWorker it{*this, name, incarnation, "state"};
    it.public_key = key;
    return it;
  }
  // What it hears to its hello.
  std::vector<std::string> answer(FakeWorker&& it) {
    it.hello();
    refusal = it.refusal;
    return it.heard();
  }
  void leave(FakeWorker& it) { it.say(Goodbye{}); }

  std::string refusal;
};

// The attack: a success was reported for a run that the local worker had begun.
TEST_F(WorkerNames, of_a_local_worker_is_not_taken_over_by_a_key) {
  auto local = worker("w", "");
  local.join();
  const auto id = run("m");
  const auto key = local.take();
  local.begin(key);
  auto thief = worker("w", allow("thief"), "i2");
  EXPECT_THAT(answer(std::move(thief)), ElementsAre("refused refused"));
  EXPECT_THAT(refusal, HasSubstr("belongs to another key or local user"));
  EXPECT_EQ(status(id), "running");
  leave(local);
  EXPECT_THAT(answer(worker("w", allow("later"), "i3")), ElementsAre("refused refused")) << "nor when it has left";
}

TEST_F(WorkerNames, of_a_key_is_not_taken_over_by_a_local_worker_or_another_key) {
  auto first = worker("w", allow("first"));
  first.join();
  leave(first);
  EXPECT_THAT(answer(worker("w", "", "i2")), ElementsAre("refused refused"));
  EXPECT_THAT(answer(worker("w", allow("second"), "i3")), ElementsAre("refused refused"));
  first.join();
  EXPECT_EQ(first.heard().back(), "welcome");
}

TEST_F(WorkerNames, stays_with_its_owner_across_restarts_of_the_broker) {
  const auto key = allow("first");
  auto first = worker("w", key);
  first.join();
  restart();
  EXPECT_THAT(answer(worker("w", "", "i2")), ElementsAre("refused refused"));
  EXPECT_THAT(answer(worker("w", key)), ElementsAre("welcome"));
}

TEST_F(WorkerNames, is_anybodys_after_an_operator_released_it) {
  auto first = worker("w", allow("first"));
  first.join();
  EXPECT_EQ(refused("workers.release", {{"name", "w"}}), "in_use") << "it is connected";
  leave(first);
  EXPECT_THAT(done("workers.release", {{"name", "w"}})["identity"].get<std::string>(), HasSubstr("key "));
  EXPECT_EQ(done("audit.list", {{"limit", 1}})[0]["verb"], "workers.release");
  EXPECT_THAT(answer(worker("w", "", "i2")), ElementsAre("welcome"));
  EXPECT_EQ(refused("workers.release", {{"name", "never"}}), "not_found");
}

TEST_F(WorkerNames, that_was_refused_belongs_to_nobody) {
  EXPECT_THAT(answer(worker("other", allow("bound", {{"names", {"mine"}}}))), ElementsAre("refused refused"));
  EXPECT_THAT(answer(worker("other", allow("free"))), ElementsAre("welcome"));
}

TEST_F(WorkerNames, tags_and_slots_are_those_that_the_key_may_claim) {
  const auto key = allow("plant2", {{"names", {"p2", "p2-*"}}, {"tags", {"site:plant2"}}, {"slots", 2}});
  const auto hello = [&](const std::string& name, std::vector<std::string> tags, int64_t slots) {
    auto it = worker(name, key);
    it.tags = std::move(tags);
    it.slots = slots;
    return answer(std::move(it)).front();
  };
  EXPECT_EQ(hello("p2", {"site:plant2"}, 2), "welcome");
  EXPECT_EQ(hello("p2-b", {}, 1), "welcome");
  EXPECT_EQ(hello("p3", {}, 1), "refused refused");
  EXPECT_THAT(refusal, HasSubstr("the key plant2 may not use the worker name p3"));
  EXPECT_EQ(hello("p2-c", {"site:plant1"}, 1), "refused refused");
  EXPECT_THAT(refusal, HasSubstr("may not claim the tag site:plant1"));
  EXPECT_EQ(hello("p2-c", {}, 3), "refused refused");
  EXPECT_THAT(refusal, HasSubstr("may not have 3 slots"));
}

TEST_F(WorkerNames, tags_and_slots_are_any_where_the_key_says_nothing) {
  auto it = worker("any", allow("any"));
  it.tags = {"a", "b"};
  it.slots = 1000;
  EXPECT_THAT(answer(std::move(it)), ElementsAre("welcome"));
}

TEST_F(WorkerNames, claims_are_checked_shown_and_for_workers_only) {
  const auto key = new_key_pair().public_key;
  const auto bad = [&](Json claims) {
    claims.update({{"name", "x"}, {"public_key", key}});
    if (!claims.contains("role")) claims["role"] = "worker";
    return refused("keys.allow", claims);
  };
  EXPECT_EQ(bad({{"names", "w"}}), "invalid");
  EXPECT_EQ(bad({{"names", {""}}}), "invalid");
  EXPECT_EQ(bad({{"tags", Json::array({1})}}), "invalid");
  EXPECT_EQ(bad({{"tags", std::vector<std::string>(101, "t")}}), "invalid");
  EXPECT_EQ(bad({{"slots", 0}}), "invalid");
  EXPECT_EQ(bad({{"slots", 1}, {"role", "viewer"}}), "invalid");
  allow("x", {{"names", {"a"}}, {"slots", 3}});
  const auto row = done("keys.list", Json::object())[0];
  EXPECT_EQ(row["names"], Json::array({"a"}));
  EXPECT_EQ(row["tags"], Json());
  EXPECT_EQ(row["slots"], 3);
}

TEST_F(WorkerNames, of_one_identity_are_bounded) {
  using store::worker_names::Claim;
  for (int64_t i = 0; i < store::worker_names::kMostOfOne; ++i) {
    ASSERT_EQ(store::worker_names::claim(*db, "w" + std::to_string(i), "uid 7", {}), Claim::granted);
  }
  EXPECT_EQ(store::worker_names::claim(*db, "one-more", "uid 7", {}), Claim::too_many);
  EXPECT_EQ(store::worker_names::claim(*db, "w1", "uid 7", {}), Claim::granted);
  EXPECT_EQ(store::worker_names::claim(*db, "w1", "uid 8", {}), Claim::of_another);
  EXPECT_EQ(store::worker_names::claim(*db, "one-more", "uid 8", {}), Claim::granted);
}

TEST_F(WorkerNames, belong_to_a_user_and_not_to_a_process) {
  Received from;
  from.process = "1000:100:4711";
  EXPECT_EQ(identity_of(from), "uid 1000");
  from.process = "1000:100:4712";
  EXPECT_EQ(identity_of(from), "uid 1000");
  from.process.clear();
  from.key = "K";
  EXPECT_EQ(identity_of(from), "key K");
  from.key.clear();
  EXPECT_EQ(identity_of(from), "local");
}

TEST_F(WorkerNames, come_without_incarnations_in_every_answer) {
  auto it = worker("w", "", "the-incarnation");
  it.join();
  EXPECT_EQ(done("workers.list", Json::object()).dump().find("the-incarnation"), std::string::npos);
  EXPECT_EQ(done("status", Json::object()).dump().find("the-incarnation"), std::string::npos);
  leave(it);
  EXPECT_EQ(done("workers.list", Json::object()).dump().find("incarnation"), std::string::npos);
  EXPECT_EQ(done("export", Json::object()).dump().find("the-incarnation"), std::string::npos);
}

}  // namespace
}  // namespace pipekit::test
