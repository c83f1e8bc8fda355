// kill -9 at every named point of the broker, the worker and the runner: each run ends and reports the truth about the
// destination, which is as before or as after; the module is not locked; the log is correct. The dead process is
// restarted as by a service manager.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>

#include "tests/fault/scenario.h"

namespace pipekit::test {
namespace {

constexpr int kKilled = 128 + 9;

struct Variant {
  std::string strategy;
  int retries;
  [[nodiscard]] std::string module() const { return strategy + std::to_string(retries); }
};

const std::vector<Variant> kAppend = {{"append", 0}, {"append", 2}};
const std::vector<Variant> kOnPostgres = {{"append", 0}, {"append", 2}, {"full", 2}};
const std::vector<Variant> kAll = {{"append", 0}, {"append", 2}, {"incremental", 0}, {"full", 2}};

struct KillPoint {
  std::string point;
  Engine engine = Engine::sqlite;
  std::vector<Variant> variants = kAppend;
  int from = 1;  // the passes at which it kills
  int to = 1;
  std::string merge_dies{};  // where the merge's runner is killed first, so that the worker closes the fence
};

std::string name_of(const ::testing::TestParamInfo<KillPoint>& info) {
  auto name = info.param.point + (info.param.engine == Engine::sqlite ? "" : ".postgresql");
  std::ranges::replace(name, '.', '_');
  return name;
}

void add_modules(Scenario& scenario, const std::vector<Variant>& variants) {
  for (const auto& variant : variants) {
    ModuleOptions options;
    options.strategy = variant.strategy;
    options.retries = variant.retries;
    scenario.add_module(variant.module(), options);
  }
}

class WorkerKilled : public ::testing::TestWithParam<KillPoint> {};

TEST_P(WorkerKilled, EveryRunEndsTruthfully) {
  const auto& at = GetParam();
  Scenario scenario(at.engine);
  add_modules(scenario, at.variants);
  for (const auto& variant : at.variants) {
    for (int pass = at.from; pass <= at.to; ++pass) {
      SCOPED_TRACE(fmt::format("{} at {}", variant.module(), pass));
      WorkerOptions options;
      std::optional<GatedRunner> runner;
      if (!at.merge_dies.empty()) options = runner.emplace(scenario.system(), "merge", at.merge_dies).options();
      options.failpoint = fmt::format("{}=kill@{}", at.point, pass);
      options.wait_joined = at.point.find("send") == std::string::npos;  // it may die with its hello
      scenario.start_worker("w1", options);
      const auto before = scenario.rows(variant.module());
      const auto run = scenario.submit(variant.module());
      ASSERT_EQ(scenario.system().worker_end("w1"), kKilled);
      scenario.start_worker("w1");
      const auto shown = scenario.expect_truthful_end(run, variant.module(), before);
      if (variant.retries > 0) {
        EXPECT_EQ(shown.at("status"), "success") << shown.dump();
      }
      if (pass == at.to) scenario.expect_runs_again(variant.module());
      EXPECT_TRUE(scenario.runner_pids().empty());
      scenario.system().kill_worker("w1");
    }
  }
  scenario.expect_sound_log();
}

INSTANTIATE_TEST_SUITE_P(BeforeTheMerge, WorkerKilled,
                         ::testing::Values(KillPoint{"worker.assignment.received"}, KillPoint{"worker.claim.before"},
                                           KillPoint{"worker.claim.after"}, KillPoint{"worker.watermark.before"},
                                           KillPoint{"worker.watermark.after"}, KillPoint{"worker.staging.before"},
                                           KillPoint{"worker.staging.after"}, KillPoint{"worker.transfer.before"},
                                           KillPoint{"worker.transfer.after"}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(AroundTheMerge, WorkerKilled,
                         ::testing::Values(KillPoint{"worker.merging.before", Engine::sqlite, kAll},
                                           KillPoint{"worker.merging.acknowledged", Engine::sqlite, kAll},
                                           KillPoint{"worker.merge.before", Engine::sqlite, kAll},
                                           KillPoint{"worker.merge.after", Engine::sqlite, kAll},
                                           KillPoint{"worker.merging.before", Engine::postgresql, kOnPostgres},
                                           KillPoint{"worker.merging.acknowledged", Engine::postgresql, kOnPostgres},
                                           KillPoint{"worker.merge.before", Engine::postgresql, kOnPostgres},
                                           KillPoint{"worker.merge.after", Engine::postgresql, kOnPostgres}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(
    WhileItCloses, WorkerKilled,
    ::testing::Values(
        KillPoint{"worker.close.before", Engine::sqlite, kAppend, 1, 1, "jrunner.script.statement=kill@3"},
        KillPoint{"worker.close.after", Engine::sqlite, kAppend, 1, 1, "jrunner.script.done=kill"},
        KillPoint{"worker.close.before", Engine::postgresql, kAppend, 1, 1, "jrunner.script.done=kill"},
        KillPoint{"worker.close.after", Engine::postgresql, kAppend, 1, 1, "jrunner.script.statement=kill@8"}),
    name_of);
INSTANTIATE_TEST_SUITE_P(AfterTheMerge, WorkerKilled,
                         ::testing::Values(KillPoint{"worker.hook.before"}, KillPoint{"worker.hook.after"},
                                           KillPoint{"worker.drop.before"}, KillPoint{"worker.drop.after"},
                                           KillPoint{"worker.finished.before"}),
                         name_of);
// The first child of a worker asks for the runner's version.
INSTANTIATE_TEST_SUITE_P(AtEachChild, WorkerKilled,
                         ::testing::Values(KillPoint{"worker.spawn.before", Engine::sqlite, {{"append", 2}}, 2, 9},
                                           KillPoint{"worker.spawn.after", Engine::sqlite, {{"append", 2}}, 2, 9},
                                           KillPoint{"worker.spawn.after", Engine::postgresql, {{"append", 2}}, 5, 8}),
                         name_of);
INSTANTIATE_TEST_SUITE_P(AtEachMessage, WorkerKilled,
                         ::testing::Values(KillPoint{"worker.send.before", Engine::sqlite, {{"append", 2}}, 1, 8},
                                           KillPoint{"worker.send.after", Engine::sqlite, {{"append", 2}}, 12, 18}),
                         name_of);

class BrokerKilled : public ::testing::TestWithParam<KillPoint> {};

TEST_P(BrokerKilled, EveryRunEndsTruthfully) {
  const auto& at = GetParam();
  Scenario scenario(at.engine);
  add_modules(scenario, {{"append", 0}});
  scenario.start_worker();
  for (int pass = at.from; pass <= at.to; ++pass) {
    SCOPED_TRACE(fmt::format("at {}", pass));
    scenario.system().kill_broker();
    BrokerOptions options;
    options.failpoint = fmt::format("{}=kill@{}", at.point, pass);
    scenario.system().start_broker(options);
    const auto before = scenario.rows("append0");
    const auto number = scenario.system().client().next_number();
    scenario.system().client().send(number, "run", {{"module", "append0"}});
    ASSERT_EQ(scenario.system().broker_end(), kKilled);
    scenario.system().start_broker();
    scenario.system().client().reconnect();
    scenario.system().client().send(number, "run", {{"module", "append0"}});
    const auto reply = scenario.system().client().receive(number);
    ASSERT_FALSE(reply.error) << reply.error->message;
    const auto run = reply.body.at("run_id").get<int64_t>();
    const auto shown = scenario.expect_truthful_end(run, "append0", before);
    EXPECT_EQ(shown.at("status"), "success") << shown.dump();  // a broker restart disturbs nothing
    EXPECT_EQ(shown.at("attempt"), 1);
  }
  scenario.expect_runs_again("append0");
  EXPECT_EQ(scenario.system().client().ask("runs.list", {{"limit", 500}}).size(),
            static_cast<size_t>(at.to - at.from + 2));
  scenario.expect_sound_log();
}

INSTANTIATE_TEST_SUITE_P(AtEachTurn, BrokerKilled,
                         ::testing::Values(KillPoint{"broker.commit.before", Engine::sqlite, {}, 1, 12},
                                           KillPoint{"broker.commit.after", Engine::sqlite, {}, 1, 12},
                                           KillPoint{"broker.send.before", Engine::sqlite, {}, 2, 12},
                                           KillPoint{"broker.send.after", Engine::sqlite, {}, 2, 12}),
                         name_of);

struct RunnerPoint {
  std::string point;
  std::string kind;
  Engine engine;
};

class RunnerKilled : public ::testing::TestWithParam<RunnerPoint> {};

TEST_P(RunnerKilled, EveryRunEndsTruthfully) {
  const auto& at = GetParam();
  const auto& variants = at.engine == Engine::sqlite ? kAll : kOnPostgres;
  Scenario scenario(at.engine);
  add_modules(scenario, variants);
  for (const auto& variant : variants) {
    SCOPED_TRACE(variant.module());
    const GatedRunner runner(scenario.system(), at.kind, at.point);
    scenario.start_worker("w1", runner.options());
    const auto before = scenario.rows(variant.module());
    const auto run = scenario.submit(variant.module());
    const auto shown = scenario.expect_truthful_end(run, variant.module(), before);
    if (variant.retries > 0) {
      EXPECT_EQ(shown.at("status"), "success") << shown.dump();
    }
    scenario.expect_runs_again(variant.module());
    scenario.system().kill_worker("w1");
  }
  scenario.expect_sound_log();
}

std::string name_of_runner_point(const ::testing::TestParamInfo<RunnerPoint>& info) {
  auto name = info.param.kind + "_" + info.param.point.substr(0, info.param.point.find('=')) +
              (info.param.point.find('@') == std::string::npos
                   ? ""
                   : "_" + info.param.point.substr(info.param.point.find('@') + 1)) +
              (info.param.engine == Engine::sqlite ? "" : "_postgresql");
  std::ranges::replace(name, '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(AtItsPoints, RunnerKilled,
                         ::testing::Values(RunnerPoint{"jrunner.script.statement=kill", "claim", Engine::sqlite},
                                           RunnerPoint{"jrunner.script.done=kill", "claim", Engine::postgresql},
                                           RunnerPoint{"jrunner.load.begun=kill", "load", Engine::sqlite},
                                           RunnerPoint{"jrunner.load.before_commit=kill", "load", Engine::postgresql},
                                           RunnerPoint{"jrunner.load.after_commit=kill", "load", Engine::sqlite},
                                           RunnerPoint{"jrunner.script.statement=kill@3", "merge", Engine::sqlite},
                                           RunnerPoint{"jrunner.script.statement=kill@8", "merge", Engine::postgresql},
                                           RunnerPoint{"jrunner.script.done=kill", "merge", Engine::sqlite},
                                           RunnerPoint{"jrunner.script.done=kill", "merge", Engine::postgresql}),
                         name_of_runner_point);

}  // namespace
}  // namespace pipekit::test
