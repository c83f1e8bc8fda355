// Data that the settings no longer keep is removed in small steps; data from which numbers, locks and answers are
// derived remains.
#include "broker/retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/store/events.h"
#include "tests/store/dialogue.h"

namespace pipekit::test {
namespace {

using std::chrono::days;
using std::chrono::hours;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

class Retention : public testing::Test, protected Dialogue {
 protected:
  Retention() : Dialogue(document_of({{{"name", "m"}}, {{"name", "n"}}}, {{{"name", "g"}, {"members", {"m", "n"}}}})) {
    worker.join();
  }

  RunId finished(const std::string& module) {
    const auto id = run(module);
    const auto key = worker.take();
    worker.begin(key);
    worker.finish(key, "success");
    return id;
  }

  void keep(const std::string& key, int64_t value) { done("settings.set", {{"key", key}, {"value", value}}); }

  // Runs to the end of a sweep that has begun.
  void finish_walk() {
    int turns = 0;
    for (auto due = turn().wake; due && *due - now <= pipekit::Retention::kPause; due = turn().wake) {
      wait(pipekit::Retention::kPause);
      if (++turns > 10'000) throw std::logic_error("the walk does not end");
    }
  }
  void sweep() {
    finish_walk();
    wait(pipekit::Retention::kEvery);
    finish_walk();
  }

  void pass_days(int count) {
    pass(days{count});
    sweep();
  }

  std::vector<int64_t> ids(const std::string& sql) {
    std::vector<int64_t> found;
    auto rows = db->query(sql);
    while (rows.next()) found.push_back(rows.get<int64_t>(0));
    return found;
  }
  std::vector<int64_t> runs() { return ids("SELECT id FROM run_log ORDER BY id"); }

  static TailRequest after(int64_t seq) {
    TailRequest request;
    request.after = seq;
    return request;
  }

  FakeWorker worker{*this, "w1"};
};

TEST_F(Retention, removes_runs_by_age_with_their_attempts_and_keeps_each_modules_last) {
  for (int i = 0; i < 3; ++i) finished("m");
  finished("n");
  pass_days(91);
  EXPECT_THAT(runs(), ElementsAre(3, 4));
  EXPECT_EQ(count("SELECT count(*) FROM attempt"), 2);
  EXPECT_EQ(done("module.show", {{"name", "m"}})["last_run_id"], 3);
}

TEST_F(Retention, removes_runs_by_number_but_none_whose_request_may_come_again) {
  keep("runs_keep", 2);
  for (int i = 0; i < 5; ++i) finished("m");
  const auto before = runs();
  pass(Millis{600'000});
  finish_walk();
  EXPECT_EQ(runs(), before);
  sweep();
  EXPECT_THAT(runs(), ElementsAre(4, 5));
}

TEST_F(Retention, zero_keeps_all) {
  keep("runs_keep_days", 0);
  keep("events_keep_days", 0);
  for (int i = 0; i < 3; ++i) finished("m");
  pass_days(5000);
  EXPECT_EQ(runs().size(), 3U);
  EXPECT_EQ(store::events::first_seq(*db), 1);
}

TEST_F(Retention, a_run_that_is_still_live_stays) {
  for (int i = 0; i < 3; ++i) finished("n");
  worker.say(Goodbye{});
  const auto live = run("m");
  db->run("UPDATE run_log SET queued_at = 0 WHERE id = ?", live);
  pass_days(91);
  EXPECT_THAT(runs(), Contains(live.value));
  EXPECT_EQ(refused("run", {{"module", "m"}}), "already_running");
}

TEST_F(Retention, numbers_go_on_after_everything_old_has_gone) {
  finished("m");
  finished("n");
  done("group.remove", {{"name", "g"}});
  done("module.remove", {{"name", "m"}});
  done("module.remove", {{"name", "n"}});
  const auto epoch = count("SELECT max(id) FROM attempt");
  const auto seq = store::events::last_seq(*db);
  pass_days(400);
  restart();
  EXPECT_EQ(count("SELECT max(id) FROM attempt"), epoch);
  EXPECT_GT(store::events::first_seq(*db), seq);
  EXPECT_THAT(runs(), ElementsAre(2));
}

TEST_F(Retention, events_go_from_the_front_and_a_reader_that_missed_them_is_told) {
  finished("m");
  const auto last = store::events::last_seq(*db);
  pass_days(31);
  const auto first = store::events::first_seq(*db);
  EXPECT_GE(first, last);
  restart();  // otherwise it would be answered from memory

  const auto late = tail(after(1));
  ASSERT_FALSE(late.empty());
  ASSERT_FALSE(late[0].events.empty());
  EXPECT_EQ(late[0].events[0].kind, "events.removed");
  EXPECT_EQ(late[0].events[0].seq, first - 1);
  EXPECT_EQ(late[0].events[0].fields, Json({{"from", 2}, {"to", first - 1}}));
  EXPECT_EQ(late[0].next, store::events::last_seq(*db));
  for (const auto& reply : tail(after(0))) {
    for (const auto& event : reply.events) EXPECT_NE(event.kind, "events.removed");
  }
}

TEST_F(Retention, a_walk_that_removed_something_says_what) {
  finished("m");
  finished("m");
  const auto last = store::events::last_seq(*db);
  keep("events_keep_days", 0);
  pass_days(91);
  EXPECT_THAT(events(last), Contains("retention.swept"));
  const auto swept = store::events::last_seq(*db);
  sweep();
  EXPECT_THAT(events(swept), Not(Contains("retention.swept")));
}

TEST_F(Retention, the_ledger_keeps_the_newest_of_each_schedule) {
  keep("ledger_keep", 3);
  for (int schedule = 1; schedule <= 30; ++schedule) {
    for (int i = 0; i < 10; ++i) {
      db->run("INSERT INTO schedule_fire (schedule_id, nominal_at, until_at, outcome) VALUES (?, ?, ?, 'missed')",
              schedule, to_ms(wall) + i, to_ms(wall) + i);
    }
  }
  sweep();
  EXPECT_EQ(count("SELECT count(*) FROM schedule_fire"), 30 * 3);
  EXPECT_EQ(count("SELECT min(nominal_at) FROM schedule_fire"), to_ms(from_ms(1'772'330'400'000)) + 7);
  pass_days(91);
  EXPECT_EQ(count("SELECT count(*) FROM schedule_fire"), 30);
}

TEST_F(Retention, group_runs_go_with_their_members) {
  for (int i = 0; i < 2; ++i) {
    done("run_group", {{"group", "g"}});
    for (int member = 0; member < 2; ++member) {
      const auto key = worker.take();
      worker.begin(key);
      worker.finish(key, "success");
    }
  }
  pass_days(91);
  EXPECT_THAT(ids("SELECT id FROM group_run"), ElementsAre(2));
  EXPECT_THAT(ids("SELECT DISTINCT group_run_id FROM group_run_member"), ElementsAre(2));
}

TEST_F(Retention, a_commands_answer_is_kept_for_a_day) {
  Request request;
  request.client = "c";
  request.number = 7;
  request.verb = "settings.set";
  request.args = {{"key", "claim_limit_s"}, {"value", 9}};
  ask(request);
  pass(hours{23} - pipekit::Retention::kEvery);
  sweep();
  EXPECT_EQ(count("SELECT count(*) FROM request WHERE client = 'local' || char(10) || 'c'"), 1);
  pass(hours{2});
  sweep();
  EXPECT_EQ(count("SELECT count(*) FROM request WHERE client = 'local' || char(10) || 'c'"), 0);
}

TEST_F(Retention, many_clients_answers_are_walked_through_in_pieces) {
  for (int i = 0; i < 2000; ++i) {
    db->run("INSERT INTO request (client, request_no, at, reply) VALUES (?, ?, ?, x'7b7d')",
            "c" + std::to_string(i % 7), i, i % 2 == 0 ? to_ms(wall) : to_ms(wall - days{2}));
  }
  sweep();
  EXPECT_EQ(count("SELECT count(*) FROM request WHERE client LIKE 'c_'"), 1000);
}

TEST_F(Retention, workers_that_left_are_forgotten) {
  FakeWorker other{*this, "w2"};
  other.join();
  other.say(Goodbye{});
  EXPECT_EQ(count("SELECT count(*) FROM worker WHERE name = 'w2'"), 1);
  pass_days(31);
  EXPECT_EQ(count("SELECT count(*) FROM worker WHERE name = 'w2'"), 0);
}

TEST_F(Retention, a_wall_clock_that_ran_ahead_costs_nothing) {
  for (int i = 0; i < 3; ++i) finished("m");
  wall += days{3650};
  sweep();
  EXPECT_EQ(runs().size(), 3U);
  wall -= days{3650};
  sweep();
  sweep();
  EXPECT_EQ(runs().size(), 3U);
}

// 2,000 runs and 20,000 chunks: no turn may remove them all at once, and the file must shrink.
TEST_F(Retention, goes_in_small_steps_and_the_file_shrinks) {
  finished("m");
  db->run("BEGIN");
  for (int i = 0; i < 2000; ++i) {
    db->run(
        "INSERT INTO run_log (module_id, module_name, snapshot_id, status, queued_at, finished_at, triggered_by,"
        " jrunner_stdout) VALUES (1, 'm', 1, 'success', ?, ?, 'manual', ?)",
        to_ms(wall), to_ms(wall), std::string(8000, 'x'));
  }
  db->run("COMMIT");
  finished("m");
  const auto pages = count("PRAGMA page_count");
  auto before = runs().size();
  size_t most = 0;
  finish_walk();
  pass(days{91});
  for (int i = 0; i < 800; ++i) {
    wait(pipekit::Retention::kPause);
    const auto left = runs().size();
    most = std::max(most, before - left);
    before = left;
  }
  EXPECT_EQ(runs().size(), 1U);
  EXPECT_LE(most, 20U);
  EXPECT_LT(count("PRAGMA page_count"), pages / 4);
}

// A list of free pages is searched for each page that is returned: it must not grow while the walk removes rows.
TEST_F(Retention, returns_free_pages_while_the_walk_goes_on) {
  finished("m");
  db->run("BEGIN");
  for (int i = 0; i < 3000; ++i) {
    db->run(
        "INSERT INTO run_log (module_id, module_name, snapshot_id, status, queued_at, finished_at, triggered_by,"
        " jrunner_stdout) VALUES (1, 'm', 1, 'success', ?, ?, 'manual', ?)",
        to_ms(wall), to_ms(wall), std::string(24'000, 'x'));
  }
  db->run("COMMIT");
  finished("m");
  finish_walk();
  pass(days{91});
  int64_t longest = 0;
  for (int i = 0; i < 2000 && runs().size() > 1; ++i) {
    wait(pipekit::Retention::kPause);
    longest = std::max(longest, count("PRAGMA freelist_count"));
  }
  EXPECT_EQ(runs().size(), 1U);
  EXPECT_GT(longest, 0);
  EXPECT_LE(longest, store::expiry::kPagesAtOnce + 4096) << "pages";
}

TEST_F(Retention, a_step_ends_when_its_time_is_over_and_the_next_begins_after_nine_times_as_long) {
  db->run("CREATE TABLE ballast (x)");
  db->run(
      "INSERT INTO ballast SELECT zeroblob(4000) FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1"
      " FROM n WHERE i < 3000) SELECT i FROM n)");
  db->run("DROP TABLE ballast");
  MonoTime clock = now + hours{1};  // each look at it takes a while
  const Settings settings;
  pipekit::Retention retention(
      *db, settings, [&] { return clock += Millis{1}; }, now, wall);
  const auto step = [&] {
    clock = std::max(clock, retention.next_due());
    const auto began = clock;
    const auto free = count("PRAGMA freelist_count");
    db->run("BEGIN IMMEDIATE");
    Turn turn(clock, wall + std::chrono::floor<Millis>(clock - now), 0);
    retention.step(turn);
    db->run("COMMIT");
    retention.committed(clock);
    EXPECT_GE(retention.next_due() - clock, std::min<MonoTime::duration>(9 * (clock - began), hours{1}) - Millis{20});
    return free - count("PRAGMA freelist_count");
  };
  int64_t returned = 0;
  int64_t most = 0;
  for (int i = 0; i < 400; ++i) {
    const auto pages = step();
    most = std::max(most, pages);
    returned += pages;
  }
  EXPECT_GT(returned, 1000);
  EXPECT_LE(most, store::expiry::kVacuumTime / Millis{1} + 1) << "a page a look at the clock";
}

TEST_F(Retention, looks_at_group_runs_in_pieces_also_where_none_has_expired) {
  db->run("BEGIN");
  for (int i = 0; i < 1000; ++i) {
    db->run(
        "INSERT INTO group_run (group_id, group_name, stop_on_failure, started_at, finished_at, status,"
        " triggered_by) VALUES (1, 'g', 0, ?, ?, 'success', 'manual')",
        to_ms(wall), to_ms(wall));
  }
  db->run("COMMIT");
  store::expiry::Limit limit;
  limit.before = wall + hours{1};
  store::expiry::Step step;
  store::expiry::Cursor cursor;
  int64_t removed = 0;
  int steps = 0;
  do {
    step = store::expiry::group_runs(*db, cursor, limit);
    cursor = step.next.value_or(store::expiry::Cursor{});
    EXPECT_LE(step.removed, 20);
    removed += step.removed;
  } while (step.next && ++steps < 1000);
  EXPECT_EQ(removed, 999) << "all but the newest, from which numbers go on";
  limit.before = wall - hours{1};
  EXPECT_FALSE(store::expiry::group_runs(*db, {}, limit).next);
}

}  // namespace
}  // namespace pipekit::test
