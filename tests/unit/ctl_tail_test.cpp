#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ctl/event_text.h"
#include "ctl/human.h"
#include "ctl/tail.h"
#include "ctl/watch.h"

namespace pipekit::ctl {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Event event(int64_t seq, std::string kind, Json fields = Json::object()) {
  Event made;
  made.seq = seq;
  made.ts = 1'700'000'000'000;
  made.kind = std::move(kind);
  made.run_id = 12;
  made.module_name = "orders";
  made.fields = std::move(fields);
  return made;
}

LogChunk chunk(int64_t first, const std::vector<std::string>& lines) {
  LogChunk made;
  made.first_seq = first;
  made.run_id = 12;
  for (const auto& line : lines) made.lines.push_back({line.starts_with("!"), line});
  return made;
}

std::vector<int64_t> numbers(const std::vector<Event>& events) {
  std::vector<int64_t> seqs;
  for (const auto& one : events) seqs.push_back(one.seq);
  return seqs;
}

TEST(CtlTail, log_lines_stand_between_the_events_where_they_happened) {
  TailCursor cursor(0);
  TailReply reply;
  reply.next = 8;
  reply.events = {event(1, "run.queued"), event(5, "run.step"), event(8, "run.finished")};
  reply.logs = {chunk(6, {"c", "!d"}), chunk(2, {"a", "b"})};
  const auto events = cursor.accept(reply);
  EXPECT_THAT(numbers(events), ElementsAre(1, 2, 3, 5, 6, 7, 8));
  EXPECT_EQ(events[5].kind, "run.log");
  EXPECT_EQ(events[5].fields, (Json{{"line", "!d"}, {"stream", "stderr"}}));
  EXPECT_EQ(events[4].fields["stream"], "stdout");
  EXPECT_EQ(cursor.after(), 8);
}

TEST(CtlTail, a_repeated_answer_shows_nothing_twice) {
  TailCursor cursor(0);
  TailReply reply;
  reply.next = 3;
  reply.events = {event(1, "run.queued")};
  reply.logs = {chunk(2, {"a", "b"})};
  EXPECT_THAT(numbers(cursor.accept(reply)), ElementsAre(1, 2, 3));
  EXPECT_THAT(numbers(cursor.accept(reply)), IsEmpty());
  reply.next = 5;
  reply.logs = {chunk(2, {"a", "b", "c", "d"})};
  EXPECT_THAT(numbers(cursor.accept(reply)), ElementsAre(4, 5));
}

TEST(CtlTail, a_chunk_that_begins_before_the_number_asked_from_is_shown_from_there) {
  TailCursor cursor(11);
  TailReply reply;
  reply.next = 13;
  reply.logs = {chunk(10, {"a", "b", "c", "d"})};
  EXPECT_THAT(numbers(cursor.accept(reply)), ElementsAre(12, 13));
}

TEST(CtlTail, numbers_that_the_filter_passed_over_are_not_asked_for_again) {
  TailCursor cursor(0);
  TailReply beat;
  beat.next = 40;
  EXPECT_THAT(cursor.accept(beat), IsEmpty());
  EXPECT_EQ(cursor.after(), 40);
  beat.next = 7;  // an old answer
  cursor.accept(beat);
  EXPECT_EQ(cursor.after(), 40);
}

TEST(CtlTail, an_event_in_json_has_its_own_fields_beside_the_common_ones) {
  auto finished = event(9, "run.finished", {{"status", "success"}, {"row_count", 5}, {"seq", "not this"}});
  const auto json = flattened(finished);
  EXPECT_EQ(json["seq"], 9);
  EXPECT_EQ(json["ts"], "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(json["status"], "success");
  EXPECT_EQ(json["row_count"], 5);
  EXPECT_EQ(json["run_id"], 12);
  EXPECT_EQ(json["module_name"], "orders");
  EXPECT_TRUE(json["worker"].is_null());
  finished.fields = "not a map";
  EXPECT_EQ(flattened(finished)["seq"], 9);
}

TEST(CtlEventText, a_line_says_who_and_what) {
  const Style pipe;
  EXPECT_EQ(event_line(event(9, "run.finished", {{"status", "error"}, {"error", "no such table"}}), pipe),
            "2023-11-14T22:13:20.000Z  run.finished  orders #12  error  no such table\n");
  EXPECT_EQ(event_line(event(9, "run.log", {{"line", "a\x1b[2Jb"}, {"stream", "stdout"}}), pipe),
            "2023-11-14T22:13:20.000Z  orders #12  | a\\u001b[2Jb\n");
  EXPECT_EQ(event_record(event(9, "run.queued", {{"by", "a,b"}}), Format::csv),
            "9,2023-11-14T22:13:20.000Z,run.queued,12,orders,,\"{\"\"by\"\":\"\"a,b\"\"}\"\r\n");
}

TEST(CtlWatch, a_run_ends_in_one_line_and_further_lines_of_its_error_are_indented) {
  const Style pipe;
  const Style terminal = {80, false, true, {}};
  const auto ended = event(9, "run.finished", {{"status", "success"}, {"row_count", 12345}, {"duration_ms", 3200}});
  EXPECT_EQ(run_end_line(ended, std::nullopt, terminal), "✔ orders  12,345 rows  3.2s\n");
  const auto failed = event(9, "run.finished", {{"status", "error"}, {"row_count", nullptr}, {"error", "gone\nbad"}});
  EXPECT_EQ(run_end_line(failed, std::nullopt, pipe), "✗ orders  error  gone\n  bad\n");
}

TEST(CtlWatch, only_success_and_dry_run_exit_with_0) {
  EXPECT_EQ(exit_code_of_run("success"), 0);
  EXPECT_EQ(exit_code_of_run("dry_run"), 0);
  for (const auto* status : {"error", "cancelled", "a word of a later version", ""}) {
    EXPECT_EQ(exit_code_of_run(status), 4) << status;
  }
}

}  // namespace
}  // namespace pipekit::ctl
