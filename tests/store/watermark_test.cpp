// What the broker knows of watermarks: whether placeholders of a definition are safe in the dialect of its source, and
// whether a module has succeeded before, which decides what NULL means.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/definitions/apply.h"
#include "broker/definitions/definitions.h"
#include "tests/store/dialogue.h"
#include "tests/support/definition_store.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Json with_query(const std::string& query, bool raw = false) {
  auto document = sample_document();
  document["modules"][0]["source_query"] = query;
  document["modules"][0]["watermarks"][0]["raw"] = raw;
  return document;
}

class WatermarkDefinition : public ::testing::Test, public DefinitionStore {
 protected:
  std::string problem(const Json& document) {
    const auto outcome = test::apply(db, document, now);
    if (outcome.problems.empty()) return "none";
    return outcome.problems.front().path + ": " + outcome.problems.front().message;
  }
};

TEST_F(WatermarkDefinition, in_a_comment_is_not_used) {
  EXPECT_EQ(problem(with_query("SELECT id FROM orders -- WHERE id > {last_id}")),
            "modules[0].watermarks[0].name: source_query does not use {last_id} outside of comments");
  EXPECT_EQ(problem(with_query("SELECT id FROM orders WHERE id > {last_id} /* {other} */")), "none");
}

TEST_F(WatermarkDefinition, must_not_touch_other_text_unless_it_is_raw) {
  EXPECT_THAT(problem(with_query("SELECT id\nFROM orders_{last_id}")),
              AllOf(HasSubstr("modules[0].source_query: line 2: {last_id} touches the text next to it")));
  EXPECT_EQ(problem(with_query("SELECT id FROM orders_{last_id}", true)), "none");
}

// SQLite reads this backslash as a character, MySQL as an escape: there the placeholder is outside of the string.
TEST_F(WatermarkDefinition, is_read_in_the_dialect_of_the_source_connection) {
  auto document = with_query(R"(SELECT '\' || {last_id} || '')");
  EXPECT_EQ(problem(document), "none");
  document["connections"][0]["jdbc_url"] = "jdbc:mysql://db/erp";
  EXPECT_THAT(problem(document), HasSubstr("the string that begins on line 1 is not closed"));
  document["connections"][0]["jdbc_url"] = "jdbc:unknown:erp";
  EXPECT_THAT(problem(document), HasSubstr("Pipekit does not know this one"));
}

TEST_F(WatermarkDefinition, is_checked_against_a_connection_of_the_store_as_well) {
  auto first = sample_document();
  ASSERT_EQ(problem(first), "none");
  first.erase("connections");
  first["modules"][0]["source_query"] = "SELECT [it's], {last_id}";
  EXPECT_EQ(problem(first), "none") << "a quoted name in SQLite";
  const auto refused =
      definitions::update(db, Kind::module, "orders", {{"source_query", "SELECT [it, {last_id}"}}, now);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message, HasSubstr("is not closed"));
}

TEST_F(WatermarkDefinition, keeps_raw_and_null_through_export_and_apply) {
  auto document = with_query("SELECT id FROM orders WHERE id IN ({last_id})", true);
  document["modules"][0]["watermarks"][0]["null"] = "error";
  ASSERT_EQ(problem(document), "none");
  const auto exported = definitions::export_document(db);
  const auto orders = exported["modules"][1];
  EXPECT_EQ(orders["watermarks"][0]["raw"], true);
  EXPECT_EQ(orders["watermarks"][0]["null"], "error");
  EXPECT_FALSE(test::apply(db, exported, now).changed);
  const auto made = definitions::snapshot(db, *definitions::find_module(db, "orders"));
  EXPECT_TRUE(made->watermarks[0].raw);
  EXPECT_EQ(made->watermarks[0].on_null, "error");
}

class FirstSuccess : public ::testing::Test {
 protected:
  FirstSuccess() : broker(sample_document()), worker(broker, "w1") {
    worker.tags = {"site:plant2"};
    worker.join();
  }
  // A run that ends so; answers whether its assignment said that the module has succeeded.
  bool run(const std::string& status, const std::vector<std::string>& defaulted = {}) {
    last = broker.run("orders");
    const auto key = worker.take();
    const bool told = worker.assignment().module_has_succeeded;
    worker.begin(key);
    fact::Finished finished;
    finished.status = status;
    finished.outcome = status == "success" ? "merged" : "none";
    finished.retryable = false;
    if (status == "error") finished.error = WireError{"transfer_failed", "no", ""};
    finished.defaulted = defaulted;
    worker.tell(key, finished);
    std::erase(worker.listed, key);
    worker.beat();
    return told;
  }
  std::string why() { return broker.done("why", {{"module", "orders"}}).dump(); }

  Dialogue broker;
  FakeWorker worker;
  RunId last;
};

TEST_F(FirstSuccess, is_told_to_workers_from_then_on) {
  EXPECT_FALSE(run("error"));
  EXPECT_FALSE(run("success"));
  EXPECT_TRUE(run("error"));
  EXPECT_TRUE(run("success"));
  broker.restart();
  worker.join();
  EXPECT_TRUE(run("success"));
}

TEST_F(FirstSuccess, is_remembered_when_its_run_has_expired) {
  run("success");
  run("error");
  broker.db->run("DELETE FROM run_log WHERE status = 'success'");
  EXPECT_TRUE(run("success"));
}

TEST_F(FirstSuccess, a_default_that_was_used_later_is_a_reason_of_why) {
  run("success");
  EXPECT_THAT(why(), Not(HasSubstr("\"defaulted\"")));
  run("success", {"last_id"});
  EXPECT_THAT(why(), AllOf(HasSubstr("\"defaulted\""), HasSubstr("used default_value for watermark last_id")));
  run("success");
  EXPECT_THAT(why(), Not(HasSubstr("\"defaulted\"")));
}

}  // namespace
}  // namespace pipekit::test
