// Runners with large output, slow readers and full disks: memory stays bounded, every run ends, the log stays correct.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <charconv>
#include <fstream>

#include "tests/fault/scenario.h"
#include "tests/support/small_disk.h"

namespace pipekit::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kMostRssKib = 1500L * 1024;
#else
constexpr int64_t kMostRssKib = 150L * 1024;
#endif

// The process's peak memory.
int64_t peak_rss_kib(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string word; status >> word;) {
    int64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib;
  }
  return -1;
}

class ChattyRunner : public ::testing::Test {
 protected:
  // Runs a transfer whose runner does this first; the run succeeds.
  int64_t run_after(const std::string& shell) {
    scenario_.add_module("orders");
    WorkerOptions options;
    options.jrunner = scenario_.system().write_script(
        "chatty", fmt::format("#!/bin/bash\ncase \"$*\" in *' -dt '*) {};; esac\nexec {} \"$@\"\n", shell,
                              program_path("pipekit-jrunner")));
    scenario_.start_worker("w1", options);
    const auto before = scenario_.rows("orders");
    const auto run = scenario_.submit("orders");
    EXPECT_EQ(scenario_.expect_truthful_end(run, "orders", before).at("status"), "success");
    EXPECT_LT(peak_rss_kib(scenario_.system().broker().pid()), kMostRssKib);
    EXPECT_LT(peak_rss_kib(scenario_.system().worker("w1").pid()), kMostRssKib);
    return run;
  }
  std::vector<LoggedEvent> kept(int64_t run, const std::string& kind) {
    EventLog log(scenario_.system().control_endpoint());
    log.catch_up();
    return log.of_run(run, kind);
  }

  Scenario scenario_{Engine::sqlite};
};

TEST_F(ChattyRunner, AHundredMegabytesKeepTheirHeadAndTail) {
  const auto run = run_after("seq -f '%099.0f' 1 1000000");
  const auto lines = kept(run, "run.log");
  EXPECT_EQ(lines.at(0).fields.at("line"), fmt::format("{:099}", 1));
  const auto last = fmt::format("{:099}", 1000000);
  EXPECT_TRUE(std::ranges::any_of(lines, [&](const auto& event) { return event.fields.at("line") == last; }));
  EXPECT_GE(kept(run, "run.elided").size(), 1U);
  scenario_.expect_sound_log();
}

TEST_F(ChattyRunner, ALineOfFiftyMegabytesIsCut) {
  const auto run = run_after("head -c 50000000 /dev/zero | tr '\\0' x; echo");
  EXPECT_GE(kept(run, "run.log").size(), 1U);
  scenario_.expect_sound_log();
}

TEST_F(ChattyRunner, BinaryBytesWithoutAFinalNewlineAreShownAsText) {
  const auto run = run_after("head -c 3000000 /dev/urandom >&2");
  EXPECT_GE(kept(run, "run.log").size(), 1U);
  scenario_.expect_sound_log();
}

TEST_F(ChattyRunner, ProgressWithoutEndIsToldNowAndThen) {
  const auto run = run_after("seq -f 'progress: %.0f rows so far' 1 300000");
  const auto told = kept(run, "run.progress");
  ASSERT_GE(told.size(), 1U);
  EXPECT_LT(told.size(), 3000U);
  EXPECT_GT(told.front().fields.at("rows"), 0);
  EXPECT_EQ(told.back().fields.at("rows"), kept(run, "run.finished").back().fields.at("row_count"))
      << "not what the runner last printed before it was done";
}

TEST_F(ChattyRunner, AGrandchildThatKeepsThePipeOpenEndsWithTheRunner) {
  run_after("sleep 1000 & setsid sleep 1000 &");
}

TEST_F(ChattyRunner, ATailThatNeverReadsDisturbsNobody) {
  zmq::context_t context;
  DealerSocket stalled(context, scenario_.system().control_endpoint(), true);
  for (int64_t i = 1; i <= 5000; ++i) stalled.send(encode(ClientToBroker{TailRequest{i, 0, true, {}}}));
  const auto run = run_after("seq -f '%099.0f' 1 100000");
  for (int64_t i = 1; i <= 5000; ++i) stalled.send(encode(ClientToBroker{TailRequest{i, 0, true, {}}}));
  EXPECT_EQ(scenario_.system().client().ask("runs.show", {{"id", run}}).at("status"), "success");
  EXPECT_LT(peak_rss_kib(scenario_.system().broker().pid()), kMostRssKib);
}

TEST(FullDisk, EndsTheBrokerAndEveryRunOnceThereIsRoomAgain) {
  const SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  BrokerOptions options;
  options.data_dir = disk.path() / "d";
  Scenario scenario(Engine::sqlite, options);
  auto& system = scenario.system();
  for (int i = 0; i < 20; ++i) scenario.add_module(fmt::format("orders{}", i));
  WorkerOptions worker;
  worker.state_dir = system.file("state");
  scenario.start_worker("w1", worker);
  disk.fill();
  {
    TestClient flood(
        system.control_endpoint());  // gone, with everything it has not sent, before the next broker starts
    for (int round = 0; round < 50; ++round) {
      for (int i = 0; i < 20; ++i) flood.send(flood.next_number(), "run", {{"module", fmt::format("orders{}", i)}});
    }
    EXPECT_EQ(system.broker_end(), 1);
  }
  disk.make_room();
  system.start_broker();
  system.events().catch_up();
  for (const auto& event : std::vector(system.events().seen())) {
    if (event.kind == "run.queued") system.finished(event.run);
  }
  for (const int i : {0, 7, 19}) scenario.expect_runs_again(fmt::format("orders{}", i));
  scenario.expect_sound_log();
}

}  // namespace
}  // namespace pipekit::test
