// Schedules in the broker: the ledger, edits that affect only the future, overlaps, and missed times (P6).
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

// "busy" has a module to run; "quick" has no enabled module, so its group runs end immediately.
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
  // "02:05 fired", "02:10-02:20 x3 missed", oldest first.
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
      EXPECT_EQ(rows.get<bool>(4), outcome == "fired") << "each that fired has its group run";
      lines.push_back(times == 1 ? from + " " + outcome : fmt::format("{}-{} x{} {}", from, until, times, outcome));
    }
    return lines;
  }
  // What is due now may take several turns.
  void finish_due() {
    for (auto wake = turn().wake; wake && *wake <= now;) wake = turn().wake;
  }
  // The broker is down for that long.
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

TEST_F(Scheduled, a_clock_that_was_ahead_costs_only_the_times_that_it_has_fired) {
  const auto id = add("quick", kEveryFive);
  wall += hours{72};  // a wrong clock
  wait(minutes{5});
  const auto ahead = ledger(id);
  EXPECT_THAT(ahead.back(), "02:05 fired");
  wall -= hours{72};
  wait(minutes{1});
  EXPECT_THAT(events(), testing::Contains("schedule.resumed"));
  EXPECT_THAT(ledger(id), testing::Contains("02:05 fired"));
  for (int i = 0; i < 3; ++i) wait(minutes{5});
  const auto since = ledger(id);
  for (const auto* time : {"02:10 fired", "02:15 fired", "02:20 fired"}) EXPECT_THAT(since, testing::Contains(time));
  // Until the time that has fired in advance: each has one outcome.
  while (wall < from_ms(1'772'330'400'000) + hours{72} + minutes{20}) wait(minutes{5});
  EXPECT_EQ(count("SELECT count(*) FROM (SELECT nominal_at, lag(until_at) OVER (ORDER BY nominal_at) AS before"
                  " FROM schedule_fire) WHERE nominal_at <= before"),
            0);
  EXPECT_EQ(count("SELECT count(*) FROM schedule_fire WHERE outcome = 'fired'"),
            count("SELECT count(*) FROM group_run"));
}

TEST_F(Scheduled, a_broker_that_starts_with_considered_times_in_the_future_fires_from_now_on) {
  const auto id = add("quick", kEveryFive);
  db->run("UPDATE schedule SET considered_at = ?", to_ms(wall + hours{24 * 365}));
  restart();
  turn();
  wait(minutes{5});
  EXPECT_THAT(ledger(id), ElementsAre("02:05 fired"));
  EXPECT_THAT(events(), testing::Contains("schedule.resumed"));
}

TEST_F(Scheduled, one_whose_zone_is_gone_is_shown_as_such_and_fires_again_when_it_is_back) {
  done("group.add_member", {{"group", "quick"}, {"module", "a"}});
  const auto id = add("quick", kEveryFive);
  add("quick", {{"cron_expr", "0 2 1 1 *"}});
  db->run("UPDATE schedule SET timezone = 'Old/Town' WHERE id = ?", id);
  restart();
  turn();
  EXPECT_THAT(events(), testing::Contains("schedule.stopped"));
  constexpr auto kReason = "'Old/Town' is not a known time zone";
  const auto list = done("schedule.list", Json::object());
  EXPECT_EQ(list[0]["does_not_fire"], kReason);
  EXPECT_TRUE(list[0]["next_fire_at"].is_null());
  EXPECT_TRUE(list[1]["does_not_fire"].is_null());
  const auto group = done("group.show", {{"name", "quick"}});
  EXPECT_EQ(group["does_not_fire"], fmt::format("schedule {}: {}", id, kReason));
  EXPECT_FALSE(group["next_fire_at"].is_null());
  EXPECT_EQ(done("status", Json::object())["groups"][1]["does_not_fire"], group["does_not_fire"]);
  EXPECT_THAT(done("why", {{"module", "a"}})["reasons"].dump(),
              testing::AllOf(testing::HasSubstr("schedule_does_not_fire"), testing::HasSubstr(kReason)));
  // As a package update does.
  db->run("UPDATE schedule SET timezone = 'UTC' WHERE id = ?", id);
  wait(Scheduler::kTryAgain);
  EXPECT_THAT(events(), testing::Contains("schedule.resumed"));
  wait(minutes{5});
  EXPECT_THAT(ledger(id), ElementsAre("02:05 fired"));
}

TEST_F(Scheduled, overlap_is_recorded_and_starts_nothing) {
  const auto id = add("busy", kEveryFive);
  wait(minutes{5});
  wait(minutes{5});  // no worker: the first group run remains in progress
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

TEST_F(Scheduled, five_thousand_for_three_days_down_come_up_in_turns_of_bounded_work) {
  auto groups = Json::array();
  for (int i = 0; i < 5000; ++i) {
    groups.push_back({{"name", fmt::format("g{}", i)},
                      {"members", Json::array({"off"})},
                      {"schedules", Json::array({{{"cron_expr", "* * * * *"}}})}});
  }
  done("apply", {{"document", {{"groups", groups}}}});
  pass(hours{72});
  restart();
  int64_t most = 0;
  for (auto wake = std::optional(now); wake && *wake <= now;) {
    const auto before = store::events::last_seq(*db);
    wake = turn().wake;
    most = std::max(most, store::events::last_seq(*db) - before);
    EXPECT_GE(wake.value_or(now), now) << "a time that has passed would count as lateness of the broker";
  }
  EXPECT_LE(most, Scheduler::kEventsPerTurn + 10);
  EXPECT_EQ(count("SELECT sum(count) FROM schedule_fire"), 5000 * 72 * 60);
  EXPECT_EQ(count("SELECT count(*) FROM schedule_fire"), 10'000);
  EXPECT_EQ(count("SELECT count(*) FROM group_run"), 5000);
}

TEST_F(Scheduled, schedules_of_one_group_at_one_instant_start_one_run_however_many_are_due) {
  auto modules = Json::array();
  auto groups = Json::array();
  for (int i = 0; i < 50; ++i) {
    const auto module = fmt::format("m{}", i);
    modules.push_back({{"name", module}});
    auto schedules = Json::array();
    for (int j = 0; j < 3; ++j) schedules.push_back({{"cron_expr", fmt::format("0,{} 3 * * *", 57 + j)}});
    groups.push_back({{"name", "g" + module}, {"members", Json::array({module})}, {"schedules", schedules}});
  }
  done("apply", {{"document", test::document_of(modules, groups)}});
  pass(hours{1});
  test::FakeWorker w1(*this, "w1");
  w1.slots = 100;
  w1.join();
  size_t taken = 0;
  for (int turns = 0; taken < 50 && turns < 1000; ++turns) {
    // At once: its group is free again before the next turn.
    for (; w1.assignments() > taken; ++taken) {
      const auto key = w1.assignment(taken).key;
      w1.finish(key, "success", "merged");
    }
    turn();
  }
  EXPECT_EQ(count("SELECT count(*) FROM group_run"), 50);
  EXPECT_EQ(count("SELECT count(*) FROM schedule_fire WHERE outcome = 'overlap'"), 100);
}

// Schedules, time that advances in random steps, random downtimes of the broker, and at the end a check of the whole
// ledger.
class ScheduledForLong : public Scheduled {
 protected:
  ScheduledForLong() {
    for (const auto* key : {"ledger_keep", "ledger_keep_days", "runs_keep", "runs_keep_days"}) {
      done("settings.set", {{"key", key}, {"value", 0}});  // keep the whole ledger
    }
  }

  void add_schedule(const std::string& group, const std::string& expression, const char* misfire) {
    static constexpr const char* kZones[] = {"UTC", "America/New_York", "Australia/Lord_Howe", "Europe/Berlin"};
    const auto* zone = kZones[all_.size() % 4];
    const auto id = add(group.c_str(), {{"cron_expr", expression}, {"timezone", zone}, {"misfire", misfire}});
    all_.push_back({id, *Schedule::cron(expression, zone)});
  }

  int up_to(int most) { return 1 + static_cast<int>(random_() % most); }

  void live_through(hours time, minutes longest_step, minutes longest_downtime) {
    begin_ = std::chrono::floor<seconds>(wall);
    while (wall < begin_ + time) {
      const bool dies = up_to(40) == 1;
      pass(minutes{up_to(static_cast<int>((dies ? longest_downtime : longest_step).count()))});
      if (dies) restart();
      finish_due();
    }
  }

  void expect_one_outcome_each() {
    const auto end = std::chrono::floor<seconds>(wall);
    for (const auto& one : all_) {
      EXPECT_EQ(count("SELECT coalesce(sum(count), 0) FROM schedule_fire WHERE schedule_id = ?", one.id),
                one.schedule.count(begin_, end));
    }
    EXPECT_EQ(count("SELECT count(*) FROM (SELECT nominal_at, lag(until_at) OVER (PARTITION BY schedule_id"
                    " ORDER BY nominal_at) AS before FROM schedule_fire) WHERE nominal_at <= before"),
              0)
        << "no two rows of a schedule share a time";
    EXPECT_EQ(count("SELECT count(*) FROM schedule_fire WHERE outcome = 'fired'"),
              count("SELECT count(*) FROM group_run"));
    EXPECT_EQ(count("SELECT count(*) FROM schedule_fire f LEFT JOIN group_run g ON g.id = f.group_run_id"
                    " WHERE (f.outcome = 'fired') <> (g.id IS NOT NULL)"),
              0);
  }

  struct One {
    int64_t id;
    Schedule schedule;
  };
  std::vector<One> all_;
  std::mt19937 random_{7};
  FireTime begin_{};
};

constexpr const char* kPolicies[] = {"latest", "skip", "all"};

// From March to May: across the daylight-saving changes.
TEST_F(ScheduledForLong, each_nominal_time_has_exactly_one_outcome_whatever_the_downtimes) {
  int policy = 0;
  for (const auto* expression :
       {"*/7 * * * *", "0 */3 * * *", "30 2 * * *", "15 10 * * mon-fri", "0 0 1 * *", "*/30 1-3 * * *"}) {
    for (int zone = 0; zone < 4; ++zone) add_schedule("quick", expression, kPolicies[policy++ % 3]);
  }
  live_through(hours{24 * 60}, minutes{60}, minutes{3000});
  expect_one_outcome_each();
}

TEST_F(ScheduledForLong, a_year_of_a_thousand_schedules) {
  auto groups = Json::array();
  for (int i = 0; i < 100; ++i) {
    const auto* member = i == 0 ? "a" : "off";  // the first group's first run never ends
    groups.push_back({{"name", fmt::format("g{}", i)}, {"members", Json::array({member})}});
  }
  done("apply", {{"document", {{"groups", groups}}}});
  const auto expression = [&](int i) {
    const auto minute = up_to(60) - 1;
    const auto hour = up_to(24) - 1;
    if (i < 10) return fmt::format("{}-59/7 * * * *", minute % 7);
    if (i < 40) return fmt::format("{} */3 * * *", minute);
    if (i < 200) return fmt::format("{} {} * * *", minute, hour);
    if (i < 800) return fmt::format("{} {} * * {}", minute, hour, i % 7);
    return fmt::format("{} {} {} * *", minute, hour, 1 + i % 31);
  };
  for (int i = 0; i < 1000; ++i) {
    // A schedule with `all` waits for ever behind a group run that does not end.
    const auto* policy = kPolicies[i % (i < 40 || i % 100 == 0 ? 2 : 3)];
    add_schedule(fmt::format("g{}", i % 100), expression(i), policy);
  }
  live_through(hours{24 * 365}, minutes{24 * 60}, minutes{5 * 24 * 60});
  expect_one_outcome_each();
  EXPECT_GT(count("SELECT count(*) FROM schedule_fire WHERE outcome = 'overlap'"), 0);
}

}  // namespace
}  // namespace pipekit
