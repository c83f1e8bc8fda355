// `runs list` by each filter, and what of the log is read for one run.
#include "broker/run_list.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/store/events.h"
#include "tests/growth/large_store.h"
#include "tests/store/dialogue.h"

namespace pipekit::test {
namespace {

using std::chrono::hours;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RunList : public testing::Test, protected Dialogue {
 protected:
  RunList() : Dialogue(document_of({{{"name", "orders"}}, {{"name", "customers"}}})) { worker.join(); }

  int64_t ended(const std::string& module, const std::string& status = "success", const std::string& code = "") {
    const auto id = run(module);
    const auto key = worker.take();
    worker.begin(key);
    worker.finish(key, status, "none", code);
    pass(std::chrono::seconds{10});
    worker.beat();
    return id.value;
  }
  std::vector<int64_t> list(Json args) {
    std::vector<int64_t> ids;
    for (const auto& row : done("runs.list", args)) ids.push_back(row["id"].get<int64_t>());
    return ids;
  }
  FakeWorker worker{*this, "w1"};
};

TEST_F(RunList, follows_the_chain_of_a_modules_runs) {
  std::vector<int64_t> orders;
  for (int i = 0; i < 5; ++i) {
    orders.push_back(ended("orders"));
    ended("customers");
  }
  EXPECT_THAT(list({{"module", "orders"}}), ElementsAre(9, 7, 5, 3, 1));
  EXPECT_THAT(list({{"module", "orders"}, {"limit", 2}}), ElementsAre(9, 7));
  EXPECT_THAT(list({{"module", "orders"}, {"limit", 2}, {"before", 7}}), ElementsAre(5, 3));
  EXPECT_THAT(list({{"module", "orders"}, {"before", 8}}), ElementsAre(7, 5, 3, 1))
      << "a number of another module's run";
  EXPECT_THAT(list({{"module", "orders"}, {"before", 1}}), IsEmpty());
  const auto live = run("orders").value;
  EXPECT_THAT(list({{"module", "orders"}, {"limit", 3}}), ElementsAre(live, 9, 7));
  EXPECT_THAT(list({{"module", "orders"}, {"limit", 2}, {"before", live}}), ElementsAre(9, 7));
}

TEST_F(RunList, goes_beyond_runs_that_ended_before_they_were_chained) {
  for (int i = 0; i < 3; ++i) {
    ended("orders");
    ended("customers");
  }
  db->run("UPDATE run_log SET previous_run = NULL WHERE id <= 4");
  EXPECT_THAT(list({{"module", "orders"}}), ElementsAre(5, 3, 1));
  EXPECT_THAT(list({{"module", "orders"}, {"before", 3}}), ElementsAre(1));
  EXPECT_THAT(list({{"module", "customers"}}), ElementsAre(6, 4, 2));
}

TEST_F(RunList, ends_where_retention_has_removed_the_rest) {
  for (int i = 0; i < 4; ++i) ended("orders");
  db->run("DELETE FROM run_log WHERE id <= 2");
  EXPECT_THAT(list({{"module", "orders"}}), ElementsAre(4, 3));
}

TEST_F(RunList, by_status) {
  ended("orders");
  ended("orders", "error", "sql");
  ended("customers", "cancelled");
  const auto live = run("orders").value;
  EXPECT_THAT(list({{"status", "error"}}), ElementsAre(2));
  EXPECT_THAT(list({{"status", "cancelled"}}), ElementsAre(3));
  EXPECT_THAT(list({{"status", "success"}}), ElementsAre(1));
  EXPECT_THAT(list({{"status", "running"}}), ElementsAre(live));
  EXPECT_THAT(list({{"status", "queued"}}), IsEmpty());
  EXPECT_THAT(list({{"status", "error"}, {"module", "orders"}}), ElementsAre(2));
  EXPECT_THAT(list({{"status", "error"}, {"module", "customers"}}), IsEmpty());
  const auto reply = ask("runs.list", {{"status", "failed"}});
  ASSERT_TRUE(reply.error);
  EXPECT_EQ(reply.error->code, "invalid");
  EXPECT_THAT(reply.error->hint, HasSubstr("queued, running, success, error, cancelled, dry_run"));
}

TEST_F(RunList, by_time_also_where_the_clock_was_set_back) {
  for (int i = 0; i < 4; ++i) ended("orders");
  const auto since = to_ms(wall);
  ended("orders");
  ended("customers");
  EXPECT_THAT(list({{"since_ms", since}}), ElementsAre(6, 5));
  EXPECT_THAT(list({{"since_ms", since}, {"module", "orders"}}), ElementsAre(5));
  EXPECT_THAT(list({{"since_ms", since + 3'600'000}}), IsEmpty());
  wall -= hours{1};
  ended("orders");
  ended("orders");
  EXPECT_THAT(list({{"since_ms", since}}), ElementsAre(6, 5));
}

TEST_F(RunList, of_a_module_that_was_removed_by_its_name_or_id) {
  ended("orders");
  ended("customers");
  ended("orders");
  const auto id = done("module.show", {{"name", "orders"}})["id"].get<int64_t>();
  done("module.remove", {{"name", "orders"}});
  EXPECT_THAT(list({{"module", "orders"}}), ElementsAre(3, 1));
  EXPECT_THAT(list({{"module", id}}), ElementsAre(3, 1));
  const auto reply = ask("runs.list", {{"module", "custmers"}});
  ASSERT_TRUE(reply.error);
  EXPECT_EQ(reply.error->code, "not_found");
  EXPECT_THAT(reply.error->message + reply.error->hint, HasSubstr("customers"));
}

TEST_F(RunList, and_why_and_lists_of_modules_tell_of_hooks_that_failed) {
  const auto id = run("orders");
  const auto key = worker.take();
  worker.begin(key);
  fact::Finished finished;
  finished.status = "success";
  finished.outcome = "merged";
  finished.hooks_failed = 2;
  worker.tell(key, finished);
  EXPECT_EQ(done("runs.list", Json::object())[0]["hooks_failed"], 2);
  EXPECT_EQ(done("runs.show", {{"id", id.value}})["hooks_failed"], 2);
  EXPECT_EQ(done("module.show", {{"name", "orders"}})["last_hooks_failed"], 2);
  const auto why = done("why", {{"module", "orders"}})["reasons"];
  EXPECT_THAT(why.dump(), HasSubstr("has ended: success, 2 hooks failed"));
  for (const auto& reply : tail({1, 0, false, {}})) {
    for (const auto& event : reply.events) {
      EXPECT_EQ(event.fields.value("hooks_failed", 0), event.kind == "run.finished" ? 2 : 0);
    }
  }
  std::erase(worker.listed, key);
  ended("orders");
  EXPECT_EQ(done("module.show", {{"name", "orders"}})["last_hooks_failed"], 0);
}

TEST_F(RunList, a_tail_of_one_run_begins_with_its_first_event_and_ends_with_its_last) {
  for (int i = 0; i < 3; ++i) ended("customers");
  const auto id = run("orders");
  const auto key = worker.take();
  worker.begin(key);
  fact::Log log;
  log.lines.push_back({false, "a line"});
  worker.tell(key, log);
  worker.finish(key, "success");
  for (int i = 0; i < 3; ++i) ended("customers");
  EventFilter filter;
  filter.run_id = id.value;
  restart();  // the events that memory still holds would answer it
  const auto told = tail({1, 0, false, filter});
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].next, told[0].last) << "nothing after its end is looked at";
  ASSERT_FALSE(told[0].events.empty());
  EXPECT_EQ(told[0].events.front().kind, "run.queued");
  EXPECT_EQ(told[0].events.back().kind, "run.finished");
  EXPECT_EQ(told[0].logs.size(), 1U);
  const auto end = told[0].events.back().seq;
  const auto rest = tail({2, end, false, filter});
  EXPECT_TRUE(rest.at(0).events.empty());
  EXPECT_EQ(rest.at(0).next, rest.at(0).last);
}

TEST_F(RunList, a_tail_that_wants_little_reads_no_logs_and_takes_bounded_looks) {
  EventFilter filter;
  filter.kinds = {"worker.lost"};
  const auto before = store::events::last_seq(*db);
  LogChunk chunk{before + 1, 0, 99, std::nullopt, "orders", "w1", std::vector<LogLine>(60'000, {false, "x"})};
  store::events::append(*db, {before + 1, before + 60'000, chunk});
  chunk.first_seq = before + 60'001;
  store::events::append(*db, {before + 60'001, before + 120'000, chunk});
  const auto first = store::events::look(*db, before, 1 << 20, filter);
  EXPECT_TRUE(first.chunks.empty());
  EXPECT_EQ(first.until, before + 100'000);
  const auto second = store::events::look(*db, first.until, 1 << 20, filter);
  EXPECT_TRUE(second.chunks.empty());
  EXPECT_EQ(second.until, before + 120'000);
  filter.kinds = {};
  filter.run_id = 98;
  EXPECT_TRUE(store::events::look(*db, before, 1 << 20, filter).chunks.empty());
  filter.run_id = 99;
  EXPECT_EQ(store::events::look(*db, before, 1 << 20, filter).chunks.size(), 2U);
}

TEST_F(RunList, ids_are_never_given_again_and_are_not_searched_for) {
  const auto add = [&](const char* name) {
    Json module = document_of({{{"name", name}}})["modules"][0];
    return done("module.add", module)["id"].get<int64_t>();
  };
  const auto third = add("third");
  done("module.remove", {{"name", "third"}});
  EXPECT_EQ(add("fourth"), third + 1);
  done("module.remove", {{"name", "fourth"}});
  restart();
  EXPECT_EQ(add("fifth"), third + 2);
  const auto group = done("group.add", {{"name", "g"}})["id"].get<int64_t>();
  done("group.remove", {{"name", "g"}});
  EXPECT_EQ(done("group.add", {{"name", "g"}})["id"], group + 1);
}

TEST_F(RunList, the_ledger_newest_first_without_reading_it_all) {
  for (int64_t schedule = 1; schedule <= 3; ++schedule) {
    for (int64_t time = 1; time <= 4; ++time) {
      db->run("INSERT INTO schedule_fire (schedule_id, nominal_at, until_at, outcome) VALUES (?1, ?2, ?2, 'missed')",
              schedule, time * 10 + schedule);
    }
  }
  using Fires = std::vector<std::pair<int64_t, int64_t>>;
  EXPECT_EQ(run_list::newest_fires(*db, std::nullopt, 4), (Fires{{3, 43}, {2, 42}, {1, 41}, {3, 33}}));
  EXPECT_EQ(run_list::newest_fires(*db, std::vector<int64_t>{2}, 2), (Fires{{2, 42}, {2, 32}}));
  EXPECT_EQ(run_list::newest_fires(*db, std::vector<int64_t>{}, 2), Fires{});
}

// What the generator makes is a store that the broker can work with.
TEST(LargeStore, is_one_that_the_broker_serves) {
  Dialogue dialogue(document_of(Json::array()));
  StoreSize size;
  size.modules = 20;
  size.groups = 4;
  size.schedules = 8;
  size.runs = 200;
  size.group_runs = 10;
  size.failed_percent = 50;
  size.removed_modules = 1;
  dialogue.broker.reset();
  fill(*dialogue.db, size, dialogue.wall);
  dialogue.restart();
  EXPECT_EQ(dialogue.done("runs.list", {{"module", "module_2"}}).size(), 10U);
  EXPECT_EQ(dialogue.done("runs.list", {{"module", "module_1"}}).size(), 10U) << "removed";
  EXPECT_EQ(dialogue.done("runs.list", {{"status", "error"}, {"limit", 1000}}).size(), 100U);
  EXPECT_EQ(dialogue.done("module.list", Json::object()).size(), 19U);
  dialogue.events();
}

}  // namespace
}  // namespace pipekit::test
