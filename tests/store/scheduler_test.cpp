// Schedules in the broker: the ledger, what looks forward, what overlaps, what a downtime leaves (P6).
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "broker/schedule.h"
#include "tests/store/dialogue.h"

namespace pipekit {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

// "busy" has a module to run, "quick" no enabled one, so that its group runs end at once.
class Scheduled : public testing::Test, protected test::Dialogue {
 protected:
  Scheduled()
      : Dialogue(test::document_of({{{"name", "a"}}, {{"name", "off"}, {"enabled", false}}},
                                   {{{"name", "busy"}, {"members", Json::array({"a"})}},
                                    {{"name", "quick"}, {"members", Json::array({"off"})}}})) {}

  int64_t add(const char* group, Json fields) {
    fields["group"] = group;
    return done("schedule.add", fields)["id"].get<int64_t>();
  }
  // "02:05 fired", "02:10-02:20 x3 missed", the oldest first.
  std::vector<std::string> ledger(int64_t id) {
    std::vector<std::string> lines;
    auto rows = db->query(
        "SELECT strftime('%H:%M', nominal_at / 1000, 'unixepoch'), strftime('%H:%M', until_at / 1000, 'unixepoch'),"
        " count, outcome, group_run_id IS NOT NULL FROM schedule_fire WHERE schedule_id = ? ORDER BY nominal_at",
        id);
    while (rows.next()) {
      const auto from = rows.get<std::string>(0);
      const auto until = rows.get<std::string>(1);
      const auto times = rows.get<int64_t>(2);
      const auto outcome = rows.get<std::string>(3);
      EXPECT_EQ(rows.get<bool>(4), outcome == "fired") << "a group run stands beside each that fired";
      lines.push_back(times == 1 ? from + " " + outcome : fmt::format("{}-{} x{} {}", from, until, times, outcome));
    }
    return lines;
  }
  // A broker that is away for that long.
  void down(Millis time) {
    pass(time);
    restart();
    turn();
  }
};

const Json kEveryFive = {{"cron_expr", "*/5 * * * *"}};

TEST_F(Scheduled, fires_at_its_time_once_and_says_when_it_is_due) {
  const auto id = add("quick", kEveryFive);  // at 02:00:00, which has passed already
  EXPECT_THAT(ledger(id), IsEmpty());
  const auto output = turn();
  ASSERT_TRUE(output.wake.has_value());
  EXPECT_EQ(*output.wake - now, minutes{5});
  wait(minutes{5} - Millis{1});
  EXPECT_THAT(ledger(id), IsEmpty());
  wait(Millis{1});
  turn();
  EXPECT_THAT(ledger(id), ElementsAre("02:05 fired"));
  EXPECT_THAT(events(), testing::Contains("schedule.fired"));
  EXPECT_EQ(count("SELECT count(*) FROM group_run WHERE triggered_by = ?", fmt::format("schedule:{}", id)), 1);
}

TEST_F(Scheduled, a_clock_that_is_set_back_fires_nothing_again) {
  const auto id = add("quick", kEveryFive);
  wait(minutes{5});
  wall -= minutes{3};
  wait(minutes{2});
  wait(minutes{1});
  EXPECT_THAT(ledger(id), ElementsAre("02:05 fired"));
  wait(minutes{5});
  EXPECT_THAT(ledger(id), ElementsAre("02:05 fired", "02:10 fired"));
}

TEST_F(Scheduled, overlap_is_recorded_and_starts_nothing) {
  const auto id = add("busy", kEveryFive);
  wait(minutes{5});
  wait(minutes{5});  // no worker: the first group run goes on
  EXPECT_THAT(ledger(id), ElementsAre("02:05 fired", "02:10 overlap"));
  EXPECT_EQ(count("SELECT count(*) FROM group_run"), 1);
}

TEST_F(Scheduled, an_edit_an_enable_and_an_apply_look_only_forward) {
  const auto id = add("quick", {{"cron_expr", "0 12 * * *"}});
  done("schedule.disable", {{"id", id}});
  wait(hours{11});  // 13:00
  done("schedule.enable", {{"id", id}});
  turn();
  EXPECT_THAT(ledger(id), IsEmpty());
  done("schedule.update", {{"id", id}, {"set", {{"cron_expr", "30 12 * * *"}}}});
  turn();
  EXPECT_THAT(ledger(id), IsEmpty());
  auto document = done("export", Json::object());
  for (auto& group : document["groups"]) {
    for (auto& schedule : group["schedules"]) schedule["cron_expr"] = "45 12 * * *";
  }
  done("apply", {{"document", document}});
  restart();
  turn();
  EXPECT_EQ(count("SELECT count(*) FROM schedule_fire"), 0);
}

TEST_F(Scheduled, a_downtime_leaves_one_row_and_its_policy_decides) {
  const auto latest = add("quick", kEveryFive);
  const auto skip = add("busy", {{"cron_expr", "*/5 * * * *"}, {"misfire", "skip"}});
  down(minutes{22});  // 02:22
  EXPECT_THAT(ledger(latest), ElementsAre("02:05-02:15 x3 missed", "02:20 fired"));
  EXPECT_THAT(ledger(skip), ElementsAre("02:05-02:20 x4 missed"));
  down(minutes{10});  // 02:32
  EXPECT_THAT(ledger(skip), ElementsAre("02:05-02:30 x6 missed")) << "missed in a row is one row, over restarts too";
}

TEST_F(Scheduled, all_that_were_missed_run_one_after_the_other) {
  test::FakeWorker w1{*this, "w1"};
  w1.join();
  const auto id = add("busy", {{"cron_expr", "*/5 * * * *"}, {"misfire", "all"}});
  down(minutes{16});
  w1.join();
  EXPECT_THAT(ledger(id), ElementsAre("02:05 fired"));
  for (const auto* fired : {"02:10 fired", "02:15 fired"}) {
    w1.finish(w1.take(), "success", "merged");
    turn();
    EXPECT_EQ(ledger(id).back(), fired);
  }
  w1.finish(w1.take(), "success", "merged");
  turn();
  EXPECT_EQ(ledger(id).size(), 3U);
}

TEST_F(Scheduled, a_thousand_for_three_days_down_come_up_in_one_turn) {
  auto groups = Json::array();
  for (int i = 0; i < 1000; ++i) {
    groups.push_back({{"name", fmt::format("g{}", i)},
                      {"members", Json::array({"off"})},
                      {"schedules", Json::array({{{"cron_expr", "* * * * *"}}})}});
  }
  done("apply", {{"document", {{"groups", groups}}}});
  down(hours{72});
  EXPECT_EQ(count("SELECT sum(count) FROM schedule_fire"), 1000 * 72 * 60);
  EXPECT_EQ(count("SELECT count(*) FROM schedule_fire"), 2000);
  EXPECT_EQ(count("SELECT count(*) FROM group_run"), 1000);
}

TEST_F(Scheduled, each_nominal_time_has_exactly_one_outcome_whatever_the_downtimes) {
  std::mt19937 random(7);
  const char* expressions[] = {"*/7 * * * *",       "0 */3 * * *", "30 2 * * *",
                               "15 10 * * mon-fri", "0 0 1 * *",   "*/30 1-3 * * *"};
  const char* zones[] = {"UTC", "America/New_York", "Australia/Lord_Howe", "Europe/Berlin"};
  const char* policies[] = {"latest", "skip", "all"};
  struct One {
    int64_t id;
    Schedule schedule;
  };
  std::vector<One> all;
  for (const auto* expression : expressions) {
    for (const auto* zone : zones) {
      const auto id =
          add("quick", {{"cron_expr", expression}, {"timezone", zone}, {"misfire", policies[random() % 3]}});
      all.push_back({id, *Schedule::cron(expression, zone)});
    }
  }
  const auto begin = std::chrono::floor<seconds>(wall);
  while (wall < begin + hours{24 * 60}) {  // over the changes of the clocks in March and April
    if (random() % 40 == 0) {
      down(minutes{1 + random() % 3000});
    } else {
      wait(minutes{1 + random() % 60});
    }
  }
  turn();
  const auto end = std::chrono::floor<seconds>(wall);
  for (const auto& one : all) {
    EXPECT_EQ(count("SELECT coalesce(sum(count), 0) FROM schedule_fire WHERE schedule_id = ?", one.id),
              one.schedule.count(begin, end));
    EXPECT_EQ(count("SELECT count(*) FROM schedule_fire a JOIN schedule_fire b ON b.schedule_id = a.schedule_id"
                    " AND b.nominal_at > a.nominal_at AND b.nominal_at <= a.until_at WHERE a.schedule_id = ?",
                    one.id),
              0);
  }
  EXPECT_EQ(count("SELECT count(*) FROM schedule_fire WHERE outcome = 'fired'"),
            count("SELECT count(*) FROM group_run"));
}

}  // namespace
}  // namespace pipekit
