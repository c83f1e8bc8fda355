#include "broker/turn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using testing::ElementsAre;

Event event(const std::string& kind) {
  Event event;
  event.kind = kind;
  return event;
}
LogChunk lines(size_t count) {
  LogChunk chunk;
  chunk.lines.resize(count);
  return chunk;
}

class TurnTest : public testing::Test {
 protected:
  // "1-2: a b" and "3-5: log".
  [[nodiscard]] std::vector<std::string> chunks() const {
    std::vector<std::string> list;
    for (const auto& [first, last, chunk] : turn_.chunks) {
      auto text = std::to_string(first) + "-" + std::to_string(last) + ":";
      if (const auto* events = std::get_if<std::vector<Event>>(&chunk)) {
        for (const auto& e : *events) text += " " + e.kind;
      } else {
        text += " log";
      }
      list.push_back(text);
    }
    return list;
  }
  Turn turn_{MonoTime{}, from_ms(1234), 0};
};

TEST_F(TurnTest, numbers_events_and_lines_in_one_sequence) {
  EXPECT_EQ(turn_.next_seq(), 1);
  EXPECT_EQ(turn_.emit(event("a")), 1);
  EXPECT_EQ(turn_.emit(event("b")), 2);
  turn_.log(lines(3));
  turn_.log(lines(0));
  turn_.log(lines(1));
  EXPECT_EQ(turn_.emit(event("c")), 7);
  EXPECT_THAT(chunks(), ElementsAre("1-2: a b", "3-5: log", "6-6: log", "7-7: c"));
  EXPECT_EQ(std::get<LogChunk>(turn_.chunks[2].chunk).first_seq, 6);
  EXPECT_EQ(std::get<std::vector<Event>>(turn_.chunks[0].chunk)[0].ts, 1234);
}

TEST_F(TurnTest, forgets_what_a_refused_frame_left) {
  turn_.emit(event("kept"));
  turn_.to_client("p", BrokerLeaving{});
  turn_.reads.push_back({});
  const auto mark = turn_.mark();
  turn_.emit(event("gone"));
  turn_.log(lines(2));
  turn_.emit(event("gone too"));
  turn_.to_client("p", BrokerLeaving{});
  turn_.to_worker("w", BrokerLeaving{});
  turn_.reads.push_back({});
  turn_.rollback(mark);
  EXPECT_THAT(chunks(), ElementsAre("1-1: kept"));
  EXPECT_EQ(turn_.sends.size(), 1U);
  EXPECT_EQ(turn_.reads.size(), 1U);
  EXPECT_EQ(turn_.emit(event("next")), 2) << "its number is given again: no gap";
  EXPECT_THAT(chunks(), ElementsAre("1-2: kept next"));
}

TEST_F(TurnTest, forgets_back_to_nothing_and_back_to_a_log) {
  const auto empty = turn_.mark();
  turn_.emit(event("gone"));
  turn_.rollback(empty);
  EXPECT_THAT(chunks(), ElementsAre());
  turn_.log(lines(2));
  const auto after_log = turn_.mark();
  turn_.emit(event("gone"));
  turn_.rollback(after_log);
  EXPECT_THAT(chunks(), ElementsAre("1-2: log"));
  EXPECT_EQ(turn_.next_seq(), 3);
}

}  // namespace
}  // namespace pipekit
