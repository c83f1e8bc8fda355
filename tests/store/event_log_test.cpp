// The event log in chunks, its elision, and tails answered from it.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/store/events.h"
#include "tests/store/dialogue.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"  // omitted fields keep their defaults

namespace pipekit {
namespace {

using store::events::Limits;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class EventLog : public testing::Test, protected test::Dialogue {
 protected:
  EventLog() : Dialogue(test::document_of({{{"name", "orders"}}})) { db->run("DELETE FROM event_chunk"); }
  void add_events(int64_t count) {
    store::events::Numbered numbered{last_ + 1, last_ + count, {}};
    std::vector<Event> events;
    for (int64_t i = 0; i < count; ++i) {
      auto& event = events.emplace_back();
      event.seq = ++last_;
      event.kind = "run.step";
      event.run_id = 7;
    }
    numbered.chunk = events;
    store::events::append(*db, numbered);
  }
  void add_log(int64_t run, int64_t lines, size_t bytes = 9) {
    LogChunk chunk{last_ + 1, 1000 + last_, run, 3, "orders", "w1", {}};
    for (int64_t i = 0; i < lines; ++i) chunk.lines.push_back({false, std::string(bytes, 'x')});
    last_ += lines;
    store::events::append(*db, {chunk.first_seq, last_, chunk});
  }
  // "1-2", "3-5 log", "6-9 elided".
  std::vector<std::string> chunks(int64_t after = 0, int64_t limit = INT64_MAX) {
    return told(store::events::scan(*db, after, limit));
  }
  static std::vector<std::string> told(const std::vector<store::events::Numbered>& chunks) {
    std::vector<std::string> list;
    for (const auto& [first, last, chunk] : chunks) {
      std::string what = " log";
      if (const auto* events = std::get_if<std::vector<Event>>(&chunk)) {
        what = events->at(0).kind == "run.elided" ? " elided" : "";
      }
      list.push_back(fmt::format("{}-{}{}", first, last, what));
    }
    return list;
  }
  // The numbers that a reader gets if it continues from `next` until it has everything; elided ranges are whole.
  std::vector<int64_t> read_all(int64_t after, const EventFilter& filter = {}) {
    std::vector<int64_t> seen;
    for (;;) {
      const auto answers = tail({1, after, false, filter});
      if (answers.size() != 1U) throw std::runtime_error("one answer");
      const auto& answer = answers[0];
      for (const auto& event : answer.events) {
        const auto to = event.fields.value("to", event.seq);
        for (auto seq = event.seq; seq <= to; ++seq) seen.push_back(seq);
      }
      for (const auto& log : answer.logs) {
        for (size_t i = 0; i < log.lines.size(); ++i) seen.push_back(log.first_seq + static_cast<int64_t>(i));
      }
      if (answer.next == answer.last) break;
      EXPECT_GT(answer.next, after) << "it goes on";
      after = answer.next;
    }
    std::ranges::sort(seen);
    return seen;
  }
  static std::vector<int64_t> numbers(int64_t from, int64_t to) {
    std::vector<int64_t> list;
    for (; from <= to; ++from) list.push_back(from);
    return list;
  }
  int64_t last_ = 0;
};

TEST_F(EventLog, is_empty_to_begin_with) {
  EXPECT_EQ(store::events::last_seq(*db), 0);
  EXPECT_EQ(store::events::first_seq(*db), 0);
  EXPECT_THAT(chunks(), IsEmpty());
}

TEST_F(EventLog, gives_whole_chunks_from_any_number) {
  add_events(2);
  add_log(7, 3);
  add_events(1);
  EXPECT_THAT(chunks(0), ElementsAre("1-2", "3-5 log", "6-6"));
  EXPECT_THAT(chunks(1), ElementsAre("1-2", "3-5 log", "6-6")) << "the first holds 2";
  EXPECT_THAT(chunks(2), ElementsAre("3-5 log", "6-6"));
  EXPECT_THAT(chunks(4), ElementsAre("3-5 log", "6-6"));
  EXPECT_THAT(chunks(5), ElementsAre("6-6"));
  EXPECT_THAT(chunks(6), IsEmpty());
  EXPECT_EQ(store::events::last_seq(*db), 6);
  EXPECT_EQ(store::events::first_seq(*db), 1);
}

TEST_F(EventLog, bounds_a_scan_but_gives_one_chunk_at_least) {
  for (int i = 0; i < 5; ++i) add_log(7, 1, 1000);
  EXPECT_THAT(chunks(0, 1), ElementsAre("1-1 log"));
  EXPECT_THAT(chunks(1, 2000), ElementsAre("2-2 log", "3-3 log"));
}

TEST_F(EventLog, gives_the_log_of_one_run) {
  add_log(7, 2);
  add_log(8, 2);
  add_events(1);
  add_log(7, 2);
  EXPECT_THAT(told(store::events::scan_log(*db, RunId{7}, 0, INT64_MAX)), ElementsAre("1-2 log", "6-7 log"));
  EXPECT_THAT(told(store::events::scan_log(*db, RunId{7}, 2, INT64_MAX)), ElementsAre("6-7 log"));
  EXPECT_EQ(store::events::log_bytes(*db, RunId{7}), 40);
  EXPECT_EQ(store::events::log_bytes(*db, RunId{9}), 0);
}

TEST_F(EventLog, keeps_head_and_tail_of_a_chatty_run_and_no_number_is_missing) {
  for (int i = 0; i < 10; ++i) add_log(7, 10);  // 100 bytes each
  EXPECT_EQ(store::events::elide(*db, RunId{7}, {150, 200}), 400);
  EXPECT_THAT(chunks(), ElementsAre("1-10 log", "11-20 log", "21-80 elided", "81-90 log", "91-100 log"));
  const auto elided = store::events::scan(*db, 20, 1);
  const auto& event = std::get<std::vector<Event>>(elided[0].chunk).at(0);
  EXPECT_EQ(event.seq, 21);
  EXPECT_EQ(event.fields, (Json{{"from", 21}, {"to", 80}}));
  EXPECT_EQ(event.ts, 1020) << "when the first of them was written";
  EXPECT_EQ(event.run_id, 7);
  EXPECT_EQ(event.group_run_id, 3);
  EXPECT_EQ(event.module_name, "orders");
  EXPECT_EQ(event.worker, "w1");
}

TEST_F(EventLog, is_elided_again_as_it_grows) {
  for (int i = 0; i < 10; ++i) add_log(7, 10);
  store::events::elide(*db, RunId{7}, {100, 200});
  EXPECT_THAT(chunks(), ElementsAre("1-10 log", "11-80 elided", "81-90 log", "91-100 log"));
  for (int i = 0; i < 3; ++i) add_log(7, 10);
  EXPECT_EQ(store::events::elide(*db, RunId{7}, {100, 200}), 300);
  EXPECT_THAT(chunks(), ElementsAre("1-10 log", "11-110 elided", "111-120 log", "121-130 log"));
  EXPECT_EQ(store::events::elide(*db, RunId{7}, {100, 200}), 300) << "nothing to do";
}

TEST_F(EventLog, elides_around_the_events_of_others) {
  add_log(7, 10);
  add_log(7, 10);
  add_events(1);
  add_log(8, 10);
  add_log(7, 10);
  add_log(7, 10);
  store::events::elide(*db, RunId{7}, {0, 100});
  EXPECT_THAT(chunks(), ElementsAre("1-20 elided", "21-21", "22-31 log", "32-41 elided", "42-51 log"));
}

TEST_F(EventLog, waits_until_it_is_worth_the_work) {
  for (int i = 0; i < 4; ++i) add_log(7, 10);
  EXPECT_EQ(store::events::elide(*db, RunId{7}, {100, 250}), 400) << "100 bytes between: less than half a tail";
  EXPECT_EQ(chunks().size(), 4U);
  EXPECT_EQ(store::events::elide(*db, RunId{99}, {100, 250}), 0);
}

TEST_F(EventLog, gives_a_tail_the_rest_of_a_range_that_was_elided_under_it) {
  for (int i = 0; i < 10; ++i) add_log(7, 10);
  add_events(3);
  restart();  // a broker that has nothing of it in memory
  EXPECT_EQ(read_all(0), numbers(1, 103));
  store::events::elide(*db, RunId{7}, {100, 200});
  for (const int64_t after : {0, 5, 10, 11, 45, 79, 80, 81, 99, 100, 102, 103}) {
    EXPECT_EQ(read_all(after), numbers(after + 1, 103)) << after;
    EXPECT_EQ(read_all(after, {.run_id = 7}), numbers(after + 1, 103)) << after;
    EXPECT_EQ(read_all(after, {.group_run_id = 3}), after < 100 ? numbers(after + 1, 100) : numbers(1, 0)) << after;
    EXPECT_THAT(read_all(after, {.run_id = 8}), IsEmpty());
  }
}

TEST_F(EventLog, says_in_a_broken_chunk_which_it_is) {
  add_events(1);
  db->run("UPDATE event_chunk SET body = x'ff'");
  try {
    chunks();
    FAIL();
  } catch (const store::StoreError& error) {
    EXPECT_THAT(error.what(), HasSubstr("event chunk 1"));
  }
}

// --- through the broker

class LiveLog : public testing::Test, protected test::Dialogue {
 protected:
  LiveLog() : Dialogue(test::document_of({{{"name", "orders"}}})) {
    w1.join();
    run("orders");
    key = w1.take();
    w1.begin(key);
  }
  void write(int64_t lines, size_t bytes) {
    fact::Log log;
    for (int64_t i = 0; i < lines; ++i) log.lines.push_back({i % 2 == 1, std::string(bytes - 1, 'x')});
    w1.tell(key, log);
  }
  test::FakeWorker w1{*this, "w1"};
  RunKey key;
};

TEST_F(LiveLog, is_elided_while_the_run_goes_on) {
  done("settings.set", {{"key", "log_head_bytes"}, {"value", 1000}});
  done("settings.set", {{"key", "log_tail_bytes"}, {"value", 2000}});
  for (int i = 0; i < 100; ++i) write(10, 100);
  EXPECT_LT(store::events::log_bytes(*db, key.run), 1000 + 3000 + 1000);
  EXPECT_GE(store::events::log_bytes(*db, key.run), 1000 + 2000);
  EXPECT_EQ(count("SELECT count(*) FROM event_chunk WHERE run_id = 1 AND bytes = 0"), 1) << "one range";
  events();  // no gap
  restart();
  w1.join();
  for (int i = 0; i < 50; ++i) write(10, 100);
  EXPECT_LT(store::events::log_bytes(*db, key.run), 1000 + 3000 + 1000) << "goes on after a restart";
  w1.finish(key, "success", "merged");
  events();
}

TEST_F(LiveLog, is_read_page_by_page_with_its_elided_range) {
  done("settings.set", {{"key", "log_head_bytes"}, {"value", 0}});
  done("settings.set", {{"key", "log_tail_bytes"}, {"value", 1024}});
  for (int i = 0; i < 4; ++i) write(10, 100);
  auto page = done("runs.logs", {{"id", 1}});
  EXPECT_THAT(page["lines"][0]["line"].get<std::string>(), HasSubstr("lines elided"));
  EXPECT_EQ(page["lines"][1]["stream"], "stdout");
  EXPECT_EQ(page["lines"][2]["stream"], "stderr");
  EXPECT_FALSE(page["done"]);
  w1.finish(key, "success", "merged");
  page = done("runs.logs", {{"id", 1}, {"after", page["next"]}});
  EXPECT_EQ(page["lines"], Json::array());
  EXPECT_TRUE(page["done"]);
}

TEST_F(LiveLog, reaches_a_parked_tail_in_the_turn_that_commits_it) {
  const auto last = store::events::last_seq(*db);
  EXPECT_THAT(tail({1, last, true, {.run_id = 1}}), IsEmpty());
  write(3, 10);
  ASSERT_EQ(tails.size(), 1U);
  EXPECT_EQ(tails[0].logs.at(0).lines.size(), 3U);
  EXPECT_EQ(tails[0].next, last + 3);
  tails.clear();
  EXPECT_THAT(tail({2, last + 3, true, {}}), IsEmpty());
  wait(Millis{3000});
  ASSERT_EQ(tails.size(), 1U) << "a beat";
  EXPECT_TRUE(tails[0].events.empty());
}

TEST_F(LiveLog, is_resumed_by_a_tail_after_a_restart_without_gap_or_duplicate) {
  const auto all = store::events::last_seq(*db);
  restart();
  const auto answer = tail({1, 1, true, {}}).at(0);
  EXPECT_EQ(answer.next, all);
  EXPECT_EQ(answer.events.front().seq, 2);
  EXPECT_EQ(answer.events.size(), static_cast<size_t>(all - 1));
}

}  // namespace
}  // namespace pipekit
