// A broker that dies in the turn that fires: the scheduled time, its group run and the queued runs are all there or
// none is, and no time is lost or fires twice (P6).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "shared/poller.h"
#include "tests/fault/scenario.h"

namespace pipekit::test {
namespace {

constexpr int kKilled = 128 + 9;

class FiringBroker : public ::testing::TestWithParam<const char*> {
 protected:
  FiringBroker() {
    ModuleOptions options;
    options.hook = false;
    scenario_.add_module("orders", options);
    system().apply({{"groups", {{{"name", "often"}, {"members", Json::array({"orders"})}}}}});
    scenario_.start_worker();
  }

  LocalSystem& system() { return scenario_.system(); }

  void add_schedule() {
    system().client().ask("schedule.add", {{"group", "often"}, {"kind", "interval"}, {"every_s", 1}});
  }

  // A scheduled time passes while no broker is running, so the first turn of the next broker fires, and it dies in that
  // turn.
  void die_in_firing_turn() {
    system().kill_broker();
    const SystemClock clock;
    Poller().wait_until(clock.now() + std::chrono::seconds{1}, clock);
    BrokerOptions dying;
    dying.failpoint = fmt::format("{}=kill@1", GetParam());
    system().start_broker(dying);
    EXPECT_EQ(system().broker_end(), kKilled);
    system().start_broker();
  }

  // Nothing fires any more, and everything that fired has ended.
  Json ended_group_runs() {
    system().client().ask("schedule.disable", {{"id", 1}});
    auto list = system().client().ask("group_runs.list", {{"limit", 1000}});
    for (const auto& group_run : list) {
      const auto id = group_run["id"].get<int64_t>();
      const auto members = system().client().ask("group_runs.show", {{"id", id}})["members"];
      EXPECT_EQ(members.size(), 1U);
      EXPECT_FALSE(members[0]["run_id"].is_null()) << "a group run without its row in the queue";
      if (!members[0]["run_id"].is_null()) system().finished(members[0]["run_id"].get<int64_t>());
    }
    return list;
  }

  // The ledger in the store: each row begins a second after the previous one ended.
  Rows out_of_step() {
    return open_sqlite(system().data_dir() + "/pipekit.db")
        ->rows(
            "SELECT nominal_at, before FROM (SELECT nominal_at, lag(until_at) OVER (ORDER BY nominal_at) AS before"
            " FROM schedule_fire) WHERE nominal_at <> before + 1000");
  }

  Scenario scenario_{Engine::sqlite};
};

TEST_P(FiringBroker, LeavesEachNominalTimeWithOneOutcome) {
  add_schedule();
  for (int times = 0; times < 2; ++times) die_in_firing_turn();
  system().events().wait_for_kind("schedule.fired", 0);
  const auto group_runs = ended_group_runs();
  const auto ledger = system().client().ask("schedule.audit", {{"group", "often"}, {"limit", 1000}});
  EXPECT_EQ(out_of_step(), Rows{});
  std::set<int64_t> fired;
  for (const auto& row : ledger) {
    if (row["outcome"] != "fired") continue;
    EXPECT_TRUE(fired.insert(row["group_run_id"].get<int64_t>()).second);
  }
  EXPECT_EQ(fired.size(), group_runs.size()) << "each group run stands in the ledger, and each of the ledger was begun";
  EXPECT_GT(fired.size(), 0U);
  scenario_.expect_sound_log();
}

INSTANTIATE_TEST_SUITE_P(Points, FiringBroker,
                         ::testing::Values("broker.commit.before", "broker.commit.after", "broker.send.before",
                                           "broker.send.after"),
                         [](const auto& point) {
                           std::string name = point.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace pipekit::test
