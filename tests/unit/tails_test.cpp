#include "broker/tails.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"  // omitted fields keep their defaults

namespace pipekit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

MonoTime at(int64_t ms) { return MonoTime{Millis{ms}}; }

class TailsTest : public testing::Test {
 protected:
  void commit_events(std::vector<std::string> kinds, std::optional<int64_t> run = std::nullopt) {
    store::events::Numbered numbered{last_ + 1, last_ + static_cast<int64_t>(kinds.size()), {}};
    std::vector<Event> events;
    for (auto& kind : kinds) {
      auto& event = events.emplace_back();
      event.seq = ++last_;
      event.kind = std::move(kind);
      event.run_id = run;
    }
    numbered.chunk = std::move(events);
    tails_.committed(std::move(numbered));
  }
  void commit_log(int64_t run, int64_t lines, size_t bytes = 1) {
    LogChunk chunk;
    chunk.first_seq = last_ + 1;
    chunk.run_id = run;
    for (int64_t i = 0; i < lines; ++i) chunk.lines.push_back({false, std::string(bytes, 'x')});
    last_ += lines;
    tails_.committed({chunk.first_seq, last_, std::move(chunk)});
  }
  Tails::Parking park(const std::string& peer, int64_t after, int64_t now, bool follow = true,
                      EventFilter filter = {}) {
    return tails_.park(peer, {++number_, after, follow, std::move(filter)}, at(now));
  }
  // "peer #number: 3 4 log 5-9, next 9 of 9", one each.
  std::vector<std::string> due(int64_t now) {
    std::vector<std::string> lines;
    for (const auto& [peer, reply] : tails_.due(at(now)).answers) {
      auto line = fmt::format("{} #{}:", peer, reply.number);
      for (const auto& event : reply.events) line += fmt::format(" {}", event.seq);
      for (const auto& log : reply.logs) {
        line += fmt::format(" log {}-{}", log.first_seq, log.first_seq + static_cast<int64_t>(log.lines.size()) - 1);
      }
      lines.push_back(line + fmt::format(", next {} of {}", reply.next, reply.last));
    }
    return lines;
  }

  int64_t last_ = 100;
  int64_t number_ = 0;
  Tails tails_{100};
};

TEST_F(TailsTest, answer_at_once_when_there_is_something) {
  commit_events({"a", "b"});
  EXPECT_EQ(park("p", 100, 0), Tails::Parking::parked);
  EXPECT_EQ(tails_.next_due(), MonoTime{}) << "now";
  EXPECT_THAT(due(0), ElementsAre("p #1: 101 102, next 102 of 102"));
  EXPECT_EQ(tails_.open(), 0U);
  EXPECT_THAT(due(10'000), IsEmpty()) << "one answer a request";
}

TEST_F(TailsTest, wait_for_what_is_not_there_yet) {
  park("p", 100, 0);
  EXPECT_THAT(due(2999), IsEmpty());
  commit_events({"a"});
  EXPECT_THAT(due(2999), ElementsAre("p #1: 101, next 101 of 101"));
}

TEST_F(TailsTest, beat_every_3_seconds_when_nothing_happens) {
  park("p", 100, 1000);
  EXPECT_EQ(tails_.next_due(), at(4000));
  EXPECT_THAT(due(3999), IsEmpty());
  EXPECT_THAT(due(4000), ElementsAre("p #1:, next 100 of 100"));
}

TEST_F(TailsTest, beat_with_how_far_the_filter_was_applied) {
  park("p", 100, 0, true, {.run_id = 7});
  commit_events({"run.step"}, 8);
  EXPECT_THAT(due(10), IsEmpty()) << "it is none of theirs";
  EXPECT_EQ(tails_.next_due(), at(3000)) << "and is not looked at again";
  commit_events({"run.step"}, 8);
  EXPECT_THAT(due(3000), ElementsAre("p #1:, next 102 of 102"));
}

TEST_F(TailsTest, leave_50_ms_between_two_answers_to_a_peer) {
  commit_events({"a"});
  park("p", 100, 0);
  park("other", 100, 0);
  EXPECT_EQ(due(1000).size(), 2U);
  commit_events({"b"});
  park("p", 101, 1001);
  EXPECT_THAT(due(1001), IsEmpty());
  EXPECT_EQ(tails_.next_due(), at(1050));
  EXPECT_THAT(due(1049), IsEmpty());
  commit_events({"c"});
  EXPECT_THAT(due(1050), ElementsAre("p #3: 102 103, next 103 of 103")) << "what came meanwhile is in the same answer";
  park("other", 101, 1050);
  EXPECT_EQ(due(1050).size(), 1U) << "a peer that had its pause has none now";
}

TEST_F(TailsTest, make_no_pause_for_a_peer_that_is_behind) {
  for (int i = 0; i < 3; ++i) commit_log(7, 200, 1000);
  const auto all = last_;
  park("p", 100, 1000);
  EXPECT_THAT(due(1000), ElementsAre(fmt::format("p #1: log 101-300 log 301-352, next 352 of {}", all)));
  park("p", 352, 1001);
  EXPECT_THAT(due(1001), ElementsAre(fmt::format("p #2: log 353-500 log 501-604, next 604 of {}", all)));
  park("p", 604, 1001);
  EXPECT_THAT(due(1001), ElementsAre(fmt::format("p #3: log 605-700, next {} of {}", all, all)));
  commit_events({"a"});
  park("p", all, 1002);
  EXPECT_THAT(due(1002), IsEmpty()) << "now it has all";
}

TEST_F(TailsTest, park_one_request_a_peer) {
  park("p", 100, 0);
  park("p", 100, 1);
  EXPECT_EQ(tails_.open(), 1U);
  commit_events({"a"});
  EXPECT_THAT(due(1), ElementsAre("p #2: 101, next 101 of 101"));
}

TEST_F(TailsTest, of_a_key_that_was_revoked_are_not_answered) {
  tails_.park("local", {1, 100, true, {}}, at(0));
  tails_.park("kept", {1, 100, true, {}}, at(0), "good key");
  tails_.park("cut", {1, 100, true, {}}, at(0), "bad key");
  tails_.keep_only([](const std::string& key) { return key == "good key"; });
  EXPECT_THAT(tails_.peers(), ElementsAre("kept", "local"));
}

TEST_F(TailsTest, answer_at_once_who_does_not_follow) {
  park("p", 100, 0, false);
  EXPECT_THAT(due(0), ElementsAre("p #1:, next 100 of 100"));
  commit_events({"a"}, 8);
  park("p", 100, 0, false, {.run_id = 7});
  EXPECT_THAT(due(0), ElementsAre("p #2:, next 101 of 101"));
}

TEST_F(TailsTest, send_to_the_store_for_what_memory_never_had) {
  EXPECT_EQ(park("p", 99, 0), Tails::Parking::from_store);
  EXPECT_EQ(tails_.open(), 0U);
  EXPECT_EQ(park("p", 100, 0), Tails::Parking::parked);
  EXPECT_EQ(park("p", 0, 1), Tails::Parking::from_store);
  EXPECT_EQ(tails_.open(), 0U) << "it replaced the one before";
}

TEST_F(TailsTest, send_to_the_store_for_what_memory_has_forgotten) {
  park("late", 100, 0, true, {.run_id = 7});
  commit_events({"a"});
  for (int i = 0; i < 8; ++i) commit_log(8, 10, 100'000);  // 8 MB: more than is kept in memory
  EXPECT_EQ(park("p", 101, 0), Tails::Parking::from_store);
  EXPECT_EQ(park("near", last_ - 10, 0), Tails::Parking::parked);
  const auto answers = tails_.due(at(0));
  ASSERT_EQ(answers.from_store.size(), 1U);
  EXPECT_EQ(answers.from_store[0].peer, "late") << "fell behind while it waited";
  EXPECT_EQ(answers.from_store[0].request.after, 100);
  EXPECT_EQ(answers.answers.size(), 1U);
  EXPECT_EQ(tails_.open(), 0U);
}

TEST_F(TailsTest, keep_the_newest_however_large_it_is) {
  commit_log(7, 100, 100'000);
  EXPECT_EQ(park("p", 100, 0), Tails::Parking::parked);
  EXPECT_THAT(due(0), ElementsAre("p #1: log 101-102, next 102 of 200"));
}

TEST_F(TailsTest, bound_an_answer_and_say_where_to_ask_on) {
  for (int i = 0; i < 10; ++i) commit_log(7, 10, 10'000);  // 100 kB each, 256 kB in an answer
  park("p", 100, 0);
  EXPECT_THAT(due(0), ElementsAre("p #1: log 101-110 log 111-120 log 121-126, next 126 of 200"));
  park("p", 130, 100);
  EXPECT_THAT(due(100), ElementsAre("p #2: log 131-140 log 141-150 log 151-156, next 156 of 200"));
  park("q", 100, 100, true, {.run_id = 8});
  EXPECT_THAT(due(100), IsEmpty()) << "what does not match does not fill an answer";
}

TEST_F(TailsTest, resume_from_any_number) {
  commit_events({"a", "b", "c"});  // 101 to 103
  commit_log(7, 4);                // 104 to 107
  commit_events({"d"});            // 108
  const std::map<int64_t, std::string> expected = {
      {100, " 101 102 103 108 log 104-107"},
      {101, " 102 103 108 log 104-107"},
      {102, " 103 108 log 104-107"},
      {103, " 108 log 104-107"},
      {104, " 108 log 105-107"},
      {106, " 108 log 107-107"},
      {107, " 108"},
      {108, ""},
  };
  for (const auto& [after, text] : expected) {
    park(std::to_string(after), after, 0, false);
    EXPECT_THAT(due(0), ElementsAre(fmt::format("{} #{}:{}, next 108 of 108", after, number_, text)));
  }
}

TEST_F(TailsTest, put_up_with_a_number_that_does_not_exist_yet) {
  park("p", 5000, 0, false);
  EXPECT_THAT(due(0), ElementsAre("p #1:, next 100 of 100")) << "the store was put back: ask from where it is";
  park("p", INT64_MAX, 0);
  commit_events({"a"});
  EXPECT_THAT(due(3000), ElementsAre("p #2:, next 101 of 101"));
}

TEST_F(TailsTest, filter_by_run_group_run_module_and_kind) {
  Event event;
  event.run_id = 7;
  event.group_run_id = 3;
  event.module_name = "orders";
  event.kind = "run.step";
  using store::events::matches;
  EXPECT_TRUE(matches({}, event));
  EXPECT_TRUE(matches({.run_id = 7, .group_run_id = 3, .module_name = "orders", .kinds = {"x", "run.step"}}, event));
  EXPECT_FALSE(matches({.run_id = 8}, event));
  EXPECT_FALSE(matches({.group_run_id = 4}, event));
  EXPECT_FALSE(matches({.module_name = "order"}, event));
  EXPECT_FALSE(matches({.kinds = {"run.log"}}, event));
  LogChunk log;
  log.run_id = 7;
  EXPECT_TRUE(matches({.run_id = 7, .kinds = {"run.log"}}, log));
  EXPECT_FALSE(matches({.run_id = 7, .group_run_id = 3}, log));
  EXPECT_FALSE(matches({.kinds = {"run.step"}}, log));
}

}  // namespace
}  // namespace pipekit
