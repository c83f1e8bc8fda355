// What a broken or hostile peer, or an unlucky operator, must not achieve.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/store/dialogue.h"

namespace pipekit {
namespace {

using testing::HasSubstr;

class Hostile : public testing::Test, protected test::Dialogue {
 protected:
  Hostile()
      : Dialogue(test::document_of(
            {{{"name", "a"}, {"merge_strategy", "append"}, {"retries", 1}, {"retry_backoff_s", 15}}})) {
    w1.join();
  }
  Json definition_of(const char* name) {
    const auto document = done("export", Json::object());
    for (const auto& module : document["modules"]) {
      if (module["name"] == name) return module;
    }
    return {};
  }
  test::FakeWorker w1{*this, "w1"};
};

// The new module's claim would trim the old module's row in pipekit_merged, which the retry of its run needs.
TEST_F(Hostile, a_module_made_anew_shares_no_fence_with_a_live_run_of_the_removed_one) {
  const auto definition = definition_of("a");
  run("a");
  const auto first = w1.take();
  w1.begin(first);
  w1.merge(first);
  done("module.remove", {{"name", "a"}});
  EXPECT_EQ(done("module.add", definition)["fence_name"], "a~2");
}

TEST_F(Hostile, a_late_word_counts_only_from_the_worker_that_was_given_the_attempt) {
  const auto id = run("a");
  const auto key = w1.take();
  w1.begin(key);
  wait(kLease + Millis{1});
  ASSERT_EQ(status(id), "queued");
  test::FakeWorker evil{*this, "evil"};
  evil.hello();
  evil.tell(key, 77, [] {
    fact::Finished finished;
    finished.status = "success";
    finished.outcome = "merged";
    finished.row_count = 666;
    return FactBody{finished};
  }());
  EXPECT_EQ(status(id), "queued");
}

TEST_F(Hostile, a_final_word_that_nobody_knows_is_refused) {
  const auto id = run("a");
  const auto key = w1.take();
  w1.begin(key);
  wait(kLease + Millis{1});
  w1.join();
  fact::Finished finished;
  finished.status = "weird";
  finished.outcome = "merged";
  w1.tell(key, 2, finished);
  EXPECT_EQ(status(id), "queued");
}

TEST_F(Hostile, a_request_whose_arguments_have_the_wrong_types_is_refused) {
  for (const auto& id : {Json("1"), Json(1.5), Json(nullptr), Json::array({1}), Json(true)}) {
    EXPECT_EQ(refused("runs.show", {{"id", id}}), "invalid") << id;
    EXPECT_NE(refused("why", {{"run_id", id}}), "") << id;
  }
  EXPECT_EQ(refused("module.list", {{"full", "yes"}}), "invalid");
}

TEST_F(Hostile, more_attempts_than_a_worker_can_have_are_not_answered_one_by_one) {
  Heartbeat heartbeat;
  heartbeat.number = 99;
  heartbeat.attempts.resize(100'000);
  w1.heard();
  w1.say(heartbeat);
  EXPECT_EQ(w1.heard(), std::vector<std::string>{"refused malformed"});
}

TEST_F(Hostile, a_definition_that_fits_into_no_assignment_is_refused_when_it_is_to_run) {
  const std::string sql = "SELECT '" + std::string(1'000'000, 'x') + "'";
  for (int i = 0; i < 9; ++i) done("hook.add", {{"module", "a"}, {"connection", "wh"}, {"sql", sql}});
  EXPECT_EQ(refused("run", {{"module", "a"}}), "invalid");
}

}  // namespace
}  // namespace pipekit
