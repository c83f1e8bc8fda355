// Allowed peers that ask for more than anybody should get. Each attack uses the protocol, against real programs. The
// broker's memory must remain bounded, its loop must serve the others, and the attacker must get an error that says
// why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "shared/codec.h"
#include "tests/support/local_system.h"

namespace pipekit::test {
namespace {

using testing::HasSubstr;

constexpr bool kSanitized =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    true;
#else
    false;
#endif

constexpr std::chrono::seconds kPatience{180};

// A worker's side of the protocol, without its manners.
class EvilWorker {
 public:
  explicit EvilWorker(const std::string& endpoint) : socket_(context_, endpoint, true) {}

  void send(const WorkerToBroker& message) { ASSERT_TRUE(socket_.send(encode(message))); }
  template <class Message>
  Message expect() {
    const SystemClock clock;
    const auto until = clock.now() + kPatience;
    while (clock.now() < until) {
      if (auto received = socket_.try_receive()) {
        auto message = decode_broker_to_worker(received->frames.head, received->frames.body);
        if (!message) throw std::runtime_error(message.error().message);
        if (auto* wanted = std::get_if<Message>(&*message)) return std::move(*wanted);
        continue;
      }
      zmq_pollitem_t item{socket_.socket().handle(), 0, ZMQ_POLLIN, 0};
      zmq_poll(&item, 1, 1000);
    }
    throw std::runtime_error("the broker did not answer");
  }
  // Returns when it is known and may be given runs.
  void join(const std::string& name, int64_t slots = 4) {
    Hello hello;
    hello.name = name;
    hello.incarnation = "i";
    hello.version = "0";
    hello.host = "h";
    hello.slots = slots;
    send(hello);
    expect<Welcome>();
    send(Heartbeat{1, false, {}, {}});
    expect<HeartbeatAck>();
  }

 private:
  zmq::context_t context_;
  DealerSocket socket_;
};

class RequestAttack : public testing::Test {
 protected:
  RequestAttack() : system_({.lease_s = 600}) {}  // the attackers send no heartbeats of their own accord

  EvilWorker worker() { return EvilWorker("ipc://" + system_.data_dir() + "/worker.sock"); }
  // Another process, so that limits of a peer are not shared with the attacker.
  ProgramResult ctl(std::vector<std::string> args) {
    args.insert(args.begin(), {"--data-dir", system_.data_dir(), "-o", "json"});
    return run_program(program_path("pipekit-ctl"), std::move(args), {.deadline = kPatience});
  }
  void expect_others_are_served() {
    const auto status = ctl({"status"});
    EXPECT_EQ(status.exit_code, 0) << status.err;
  }
  int64_t memory_kib(const std::string& what) {
    std::ifstream status("/proc/" + std::to_string(system_.broker().pid()) + "/status");
    int64_t kib = -1;
    for (std::string word; status >> word;) {
      if (word == what + ":") status >> kib;
    }
    return kib;
  }
  void expect_memory_below(int64_t mib) {
    if (!kSanitized) {
      EXPECT_LT(memory_kib("VmHWM"), mib * 1024);
    }
  }
  Json module(const std::string& name) {
    return {{"name", name},      {"source_connection", "c"},   {"dest_connection", "c"},
            {"dest_table", "t"}, {"source_query", "SELECT 1"}, {"merge_strategy", "full"}};
  }
  Json document(int modules) {
    Json list = Json::array();
    for (int i = 0; i < modules; ++i) list.push_back(module("m" + std::to_string(i)));
    return {{"connections", {{{"name", "c"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:/nowhere.db"}}}},
            {"modules", list}};
  }

  LocalSystem system_;
};

TEST_F(RequestAttack, with_a_diff_of_sixty_thousand_members_takes_nobodys_time) {
  auto sent = document(1);
  sent["groups"] = Json::array({{{"name", "g"}, {"members", Json::array()}}});
  auto& members = sent["groups"][0]["members"];
  for (int i = 0; i < 60'000; ++i) members.push_back({{"module", "m0"}, {"run_order", i}});
  const auto number = system_.client().next_number();
  system_.client().send(number, "diff", {{"document", sent}});
  expect_others_are_served();
  const auto reply = system_.client().receive(number);
  ASSERT_TRUE(reply.error) << "m0 is a member 60,000 times";
  EXPECT_THAT(reply.error->message, HasSubstr("only the first ones are listed"));
  const auto broker = Json::parse(ctl({"status"}).out).at("broker");
  EXPECT_LT(broker.at("turn_us").at("max"), 20'000'000) << "the loop was held up for minutes before";
  expect_memory_below(500);
}

TEST_F(RequestAttack, with_a_document_of_ten_thousand_modules_leaves_no_memory_behind) {
  const auto large = document(10'000);
  for (const auto* verb : {"apply", "diff", "apply"}) {
    const auto number = system_.client().next_number();
    system_.client().send(number, verb, {{"document", large}});
    expect_others_are_served();
    const auto reply = system_.client().receive(number);
    EXPECT_FALSE(reply.error) << verb << ": " << reply.error->message;
  }
  expect_others_are_served();
  if (!kSanitized) {
    EXPECT_LT(memory_kib("VmRSS"), 250 * 1024);
  }
}

TEST_F(RequestAttack, with_heartbeats_that_list_ten_thousand_attempts_is_answered_within_bounds) {
  auto evil = worker();
  evil.join("evil", 10'000);
  Heartbeat heartbeat;
  for (int64_t i = 0; i < 10'000; ++i) heartbeat.attempts.push_back({{i}, {i}});
  for (int64_t i = 2; i < 500; ++i) {
    heartbeat.number = i;
    evil.send(heartbeat);
  }
  evil.expect<KillAttempt>();
  expect_others_are_served();
  expect_memory_below(300);
}

TEST_F(RequestAttack, with_heartbeats_that_list_more_than_any_worker_has_is_refused) {
  auto evil = worker();
  evil.join("evil", 10'000);
  Heartbeat heartbeat;
  heartbeat.number = 2;
  heartbeat.attempts.resize(500'000);
  evil.send(heartbeat);
  EXPECT_EQ(evil.expect<HelloRefused>().error.code, "malformed");
  expect_others_are_served();
  expect_memory_below(150);
}

TEST_F(RequestAttack, with_facts_of_15_MiB_grows_no_store_and_breaks_no_tail) {
  system_.apply(document(1));
  auto evil = worker();
  evil.join("evil");
  const auto run = system_.client().run("m0");
  const auto key = evil.expect<Assignment>().key;
  evil.send(Fact{key, 1, fact::Started{}});
  for (int i = 0; i < 60; ++i) evil.send(Fact{key, 2, fact::Step{0, "claim", std::string(15U << 20U, 'x')}});
  EXPECT_EQ(evil.expect<HelloRefused>().error.code, "malformed");
  evil.send(Fact{key, 2, fact::Step{0, "claim", std::string(1U << 20U, 'x')}});
  while (evil.expect<FactAck>().seq < 2) {
  }
  uintmax_t bytes = 0;
  for (const auto* file : {"pipekit.db", "pipekit.db-wal"}) {
    std::error_code failed;
    const auto size = std::filesystem::file_size(system_.data_dir() + "/" + file, failed);
    if (!failed) bytes += size;
  }
  EXPECT_LT(bytes, 50U << 20U);
  const auto tail = ctl({"events", "tail", "--no-follow"});
  EXPECT_EQ(tail.exit_code, 0) << tail.err;
  EXPECT_THAT(tail.out, HasSubstr("\"run.step\""));
  EXPECT_GT(run, 0);
  expect_memory_below(700);  // 16 frames of 15 MiB may wait for the loop
}

TEST_F(RequestAttack, with_tails_of_four_million_kinds_is_refused) {
  zmq::context_t context;
  DealerSocket socket(context, system_.control_endpoint(), true);
  std::string body =
      "\x81\xa6"
      "filter\x81\xa5"
      "kinds\xdd";
  constexpr uint32_t kKinds = 4'000'000;
  for (const auto shift : {24U, 16U, 8U, 0U}) body += static_cast<char>(kKinds >> shift);
  body += std::string(kKinds, '\xa0');
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(socket.send({std::string{1, 1}, body}));
  expect_others_are_served();
  EXPECT_GT(Json::parse(ctl({"status"}).out).at("broker").at("malformed_frames"), 0);
  expect_memory_below(400);  // what waits for the loop as it came
}

TEST_F(RequestAttack, with_four_hundred_connection_tests_starts_no_more_processes_than_slots) {
  system_.apply(document(1));
  const auto started = system_.file("started");
  const auto gate = system_.file("gate");
  ASSERT_EQ(::mkfifo(gate.c_str(), 0600), 0);
  const auto runner =
      system_.write_script("runner", "#!/bin/sh\necho x >> '" + started + "'\nread -r line < '" + gate + "'\n");
  system_.start_worker("w", {.jrunner = runner, .slots = 4});
  const auto lines = [&] {
    std::ifstream file(started);
    int count = 0;
    for (std::string line; std::getline(file, line);) ++count;
    return count;
  };
  const auto before = lines();  // the worker's calls of its runner
  std::vector<int64_t> numbers;
  for (int i = 0; i < 400; ++i) {
    numbers.push_back(system_.client().next_number());
    system_.client().send(numbers.back(), "connection.test", {{"name", "c"}});
  }
  int refused = 0;
  int answered = 0;  // on a slow machine the first ones may run out of time meanwhile
  for (int i = 4; i < 400; ++i) {
    const auto reply = system_.client().receive(numbers[static_cast<size_t>(i)]);
    ++(reply.error && reply.error->code == "overloaded" ? refused : answered);
  }
  EXPECT_GT(refused, 0);
  EXPECT_LE(lines() - before, 4 + answered);
  expect_others_are_served();
  system_.kill_worker("w");
}

}  // namespace
}  // namespace pipekit::test
