#include "worker/link.h"

#include <gtest/gtest.h>

#include <thread>

#include "shared/poller.h"

namespace pipekit::worker {
namespace {

constexpr RunKey kKey{{7}, {9}};
using Kind = FromExecutor::Kind;

// The executor's thread and the loop's, which is the test's thread.
class LinkTest : public testing::Test {
 protected:
  ~LinkTest() override {
    if (executor_.joinable()) executor_.join();
  }
  template <class Work>
  void execute(Work work, const std::string& id = "attempt-9") {
    executor_ = std::thread([this, work, id] {
      Link link(context_, id, kKey);
      work(link);
      link.done();
    });
  }
  FromExecutor receive() {
    Poller poller;
    poller.add(hub_.socket());
    const auto patience = clock_.now() + std::chrono::seconds(10);
    for (;;) {
      if (auto message = hub_.try_receive()) return *message;
      if (clock_.now() >= patience) throw std::runtime_error("the executor said nothing");
      poller.wait_until(patience, clock_);
    }
  }
  static WorkerToBroker decoded(const FromExecutor& message) {
    return *decode_worker_to_broker(message.frames.head, message.frames.body);
  }

  SystemClock clock_;
  zmq::context_t context_;
  LinkHub hub_{context_};
  std::thread executor_;
};

TEST_F(LinkTest, carries_facts_numbered_and_encoded) {
  execute([](Link& link) {
    EXPECT_EQ(link.send(fact::Started{1}), 1);
    EXPECT_EQ(link.send(fact::Finished{}), 2);
  });
  const auto started = receive();
  EXPECT_EQ(started.kind, Kind::fact);
  EXPECT_EQ(started.id, "attempt-9");
  EXPECT_EQ(started.key, kKey);
  EXPECT_EQ(started.seq, 1);
  EXPECT_FALSE(started.final);
  const auto fact = std::get<Fact>(decoded(started));
  EXPECT_EQ(fact.key, kKey);
  EXPECT_EQ(fact.seq, 1);
  EXPECT_TRUE(std::holds_alternative<fact::Started>(fact.body));
  const auto finished = receive();
  EXPECT_EQ(finished.seq, 2);
  EXPECT_TRUE(finished.final);
  EXPECT_EQ(receive().kind, Kind::done);
}

TEST_F(LinkTest, carries_the_result_of_a_task) {
  execute([](Link& link) { link.send(TaskResult{4, std::nullopt, {{"ok", true}}}); }, "task-4");
  const auto result = receive();
  EXPECT_EQ(result.kind, Kind::result);
  EXPECT_EQ(std::get<TaskResult>(decoded(result)).id, 4);
  EXPECT_EQ(receive().id, "task-4");
}

TEST_F(LinkTest, asks_before_each_child) {
  execute([](Link& link) {
    EXPECT_TRUE(link.may_start());
    EXPECT_FALSE(link.may_start());
    EXPECT_FALSE(link.may_start()) << "killed before the answer";
    EXPECT_TRUE(link.killed());
    EXPECT_FALSE(link.cancelled());
  });
  EXPECT_EQ(receive().kind, Kind::may_start);
  hub_.answer("attempt-9", true);
  EXPECT_EQ(receive().kind, Kind::may_start);
  hub_.answer("attempt-9", false);
  EXPECT_EQ(receive().kind, Kind::may_start);
  hub_.kill("attempt-9");
  hub_.answer("attempt-9", true);
  EXPECT_EQ(receive().kind, Kind::done);
}

TEST_F(LinkTest, waits_until_a_fact_is_durable) {
  execute([](Link& link) {
    link.send(fact::Started{});
    EXPECT_TRUE(link.wait_acknowledged(link.send(fact::Merging{})));
    EXPECT_FALSE(link.wait_acknowledged(link.send(fact::Merging{}))) << "cancelled";
    EXPECT_TRUE(link.cancelled());
  });
  receive();
  receive();
  hub_.acknowledged("attempt-9", 1);
  hub_.acknowledged("attempt-9", 2);
  receive();
  hub_.cancel("attempt-9");
  EXPECT_EQ(receive().kind, Kind::done);
}

TEST_F(LinkTest, is_congested_while_a_mebibyte_is_open) {
  execute([](Link& link) {
    const fact::Log half{0, {{false, std::string(600'000, 'x')}}};
    link.send(half);
    EXPECT_FALSE(link.congested());
    const auto second = link.send(half);
    EXPECT_TRUE(link.congested());
    EXPECT_TRUE(link.wait_acknowledged(1));
    EXPECT_FALSE(link.congested());
    EXPECT_TRUE(link.wait_acknowledged(second));
  });
  receive();
  receive();
  hub_.acknowledged("attempt-9", 1);
  hub_.acknowledged("attempt-9", 2);
  EXPECT_EQ(receive().kind, Kind::done);
}

TEST_F(LinkTest, takes_in_without_waiting_what_has_been_said) {
  execute([](Link& link) {
    link.pump();  // nothing to read
    EXPECT_TRUE(link.may_start());
    Poller poller;
    poller.add(link.socket());
    while (!link.cancelled()) {
      poller.wait_until(std::nullopt, SystemClock());
      link.pump();
    }
  });
  receive();
  hub_.answer("attempt-9", true);
  hub_.cancel("attempt-9");
  EXPECT_EQ(receive().kind, Kind::done);
}

TEST_F(LinkTest, drops_what_is_for_an_executor_that_has_ended) {
  execute([](Link&) {});
  EXPECT_EQ(receive().kind, Kind::done);
  executor_.join();
  hub_.kill("attempt-9");
  hub_.acknowledged("attempt-77", 1);
  EXPECT_FALSE(hub_.try_receive());
}

TEST_F(LinkTest, keeps_several_executors_apart) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      Link link(context_, std::to_string(i), {{i}, {i}});
      for (int n = 0; n < 100; ++n) {
        EXPECT_EQ(link.may_start(), (i + n) % 2 == 0);
        EXPECT_TRUE(link.wait_acknowledged(link.send(fact::Progress{0, n})));
      }
      link.done();
    });
  }
  std::map<std::string, int> asked;
  for (int done = 0; done < 4;) {
    const auto message = receive();
    if (message.kind == Kind::done) ++done;
    if (message.kind == Kind::may_start)
      hub_.answer(message.id, (std::stoi(message.id) + asked[message.id]++) % 2 == 0);
    if (message.kind == Kind::fact) {
      EXPECT_EQ(std::to_string(message.key.run.value), message.id);
      hub_.acknowledged(message.id, message.seq);
    }
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace pipekit::worker
