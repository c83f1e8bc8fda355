// Connections by the thousand: of strangers, of one key, of one local user. The broker lives, serves local clients all
// the time, keeps the workers that it has, and serves everybody again when the attackers are gone.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <memory>
#include <vector>

#include "shared/key_file.h"
#include "tests/support/free_port.h"
#include "tests/support/local_system.h"

namespace pipekit::test {
namespace {

using ::testing::HasSubstr;

// A broker with few descriptors, on a tcp port for clients and one for workers.
class ConnectionAttack : public ::testing::Test {
 protected:
  void start(int open_files) {
    raise_own_limit();
    BrokerOptions options;
    options.lease_s = 5;
    options.args = {"--control-endpoint", endpoint(control_), "--worker-endpoint",
                    endpoint(workers_),   "--key-file",       key_file("broker")};
    options.within = {"prlimit", fmt::format("--nofile={0}:{0}", open_files)};
    broker_key_ = write_key("broker").public_key;
    system_ = std::make_unique<LocalSystem>(options);
  }

  KeyPair write_key(const std::string& name) {
    auto pair = new_key_pair();
    if (const auto made = write_key_file(key_file(name), pair); !made) throw std::runtime_error(made.error().message);
    return pair;
  }
  KeyPair allow(const std::string& name, const std::string& role) {
    auto pair = write_key(name);
    local().ask("keys.allow", {{"name", name}, {"role", role}, {"public_key", pair.public_key}});
    return pair;
  }
  std::unique_ptr<RunningProgram> keyed_worker(const std::string& name) {
    allow(name, "worker");
    return std::make_unique<RunningProgram>(
        program_path("pipekit-worker"),
        std::vector<std::string>{"--name", name, "--broker", endpoint(workers_), "--state-dir", keys_.file("state"),
                                 "--key-file", key_file(name), "--broker-key", broker_key_});
  }
  // From an address of the loopback network, which has sixteen million of them. -1: refused.
  static UniqueFd connect_silently(int port, uint32_t from) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(from);
    sockaddr_in broker{};
    broker.sin_family = AF_INET;
    broker.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    broker.sin_port = htons(static_cast<uint16_t>(port));
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&own), sizeof own) != 0 ||
        ::connect(fd.get(), reinterpret_cast<sockaddr*>(&broker), sizeof broker) != 0) {
      return {};
    }
    return fd;
  }
  // Of an authenticated client, from an address of its own.
  std::unique_ptr<DealerSocket> connect_with_key(const KeyPair& key, int from) {
    return std::make_unique<DealerSocket>(context_, fmt::format("tcp://127.0.0.{}:0;127.0.0.1:{}", from, control_),
                                          true, ClientKeys{key, broker_key_});
  }
  // The broker's answer on that connection; false: none within two seconds.
  static bool is_answered(DealerSocket& socket) {
    socket.send(encode(ClientToBroker{Request{"attack", 1, 0, "x", "settings.list", Json::object()}}));
    zmq_pollitem_t item{socket.socket().handle(), 0, ZMQ_POLLIN, 0};
    return zmq_poll(&item, 1, 2000) == 1;
  }

  Json connections() { return local().ask("status")["broker"]["connections"]; }
  std::string state_of(const std::string& worker) {
    for (const auto& row : local().ask("workers.list")) {
      if (row["name"] == worker) return row["state"];
    }
    return "";
  }
  TestClient& local() { return system_->client(); }

  static std::string endpoint(int port) { return fmt::format("tcp://127.0.0.1:{}", port); }
  [[nodiscard]] std::string key_file(const std::string& name) const { return keys_.file(name + ".key"); }

  TempDir keys_;
  int control_ = free_port();
  int workers_ = free_port();
  std::string broker_key_;
  std::unique_ptr<LocalSystem> system_;
  zmq::context_t context_;

 private:
  static void raise_own_limit() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
};

TEST_F(ConnectionAttack, by_thousands_of_silent_connections_stops_nobody_who_is_there_and_no_local_client) {
  start(256);
  auto worker = keyed_worker("w1");
  worker->wait_for_err("welcomed by the broker");
  std::vector<UniqueFd> held;
  for (uint32_t i = 0; i < 3000; ++i) {
    const auto from = INADDR_LOOPBACK + i % 1000;  // a thousand attackers
    if (auto fd = connect_silently(i % 2 == 0 ? control_ : workers_, from)) held.push_back(std::move(fd));
    if (i % 500 != 0) continue;
    const auto now = connections();
    EXPECT_LE(now["tcp"].get<int>(), now["limits"]["tcp_below"].get<int>());
    EXPECT_EQ(state_of("w1"), "connected");
  }
  EXPECT_EQ(local().ask("settings.list").is_array(), true);
  EXPECT_GT(connections()["refused"].get<int64_t>(), 1000);
  EXPECT_EQ(state_of("w1"), "connected");
  EXPECT_EQ(worker->err().find("no word from the broker"), std::string::npos);
  system_->broker().wait_for_err("error broker: refused");
  EXPECT_THAT(system_->broker().err(), HasSubstr("256 files that the broker may have open"));
  held.clear();
  const auto ann = allow("ann", "viewer");
  const auto client = connect_with_key(ann, 9);
  for (int i = 0; i < 10 && !is_answered(*client); ++i) {
  }
  EXPECT_TRUE(is_answered(*client)) << "everybody is served again";
  system_->broker().signal(SIGTERM);
  EXPECT_EQ(system_->broker_end(), 0);
}

TEST_F(ConnectionAttack, by_silence_ends_with_the_handshakes_three_seconds) {
  start(256);
  const auto fd = connect_silently(control_, INADDR_LOOPBACK);
  ASSERT_TRUE(fd);
  pollfd ended{fd.get(), POLLRDHUP, 0};
  EXPECT_EQ(::poll(&ended, 1, 8000), 1) << "it is hung up on";
}

TEST_F(ConnectionAttack, from_one_address_leaves_room_for_others) {
  start(256);
  std::vector<UniqueFd> held;
  for (int i = 0; i < 400; ++i) {
    if (auto fd = connect_silently(control_, INADDR_LOOPBACK)) held.push_back(std::move(fd));
  }
  const auto ann = allow("ann", "viewer");
  const auto client = connect_with_key(ann, 2);
  EXPECT_TRUE(is_answered(*client));
  EXPECT_LE(connections()["tcp"].get<int>(), connections()["limits"]["silent_of_address"].get<int>() + 1);
}

TEST_F(ConnectionAttack, by_one_key_with_hundreds_of_connections_leaves_room_for_others) {
  start(512);
  const auto viewer = allow("viewer", "viewer");
  std::vector<std::unique_ptr<DealerSocket>> held;
  for (int i = 0; i < 500; ++i) {
    held.push_back(connect_with_key(viewer, 2 + i % 3));
    held.back()->send(encode(ClientToBroker{Request{"attack", 1, 0, "x", "settings.list", Json::object()}}));
  }
  const auto ann = allow("ann", "viewer");
  const auto client = connect_with_key(ann, 222);
  bool answered = false;
  for (int i = 0; i < 10 && !answered; ++i) answered = is_answered(*client);
  EXPECT_TRUE(answered);
  const auto now = connections();
  EXPECT_LE(now["tcp"].get<int>(), now["limits"]["tcp_below"].get<int>());
  // Those beyond the limit of one key are in a handshake at most.
  EXPECT_LE(now["tcp"].get<int>() - now["silent"].get<int>(), now["limits"]["of_key"].get<int>() + 1);
  EXPECT_EQ(local().ask("settings.list").is_array(), true);
}

// What ended the broker: accept(2) on an ipc socket without a descriptor makes ZeroMQ abort.
TEST(LocalConnectionAttack, by_seventy_tails_at_sixty_four_descriptors_ends_with_the_tails) {
  BrokerOptions options;
  options.within = {"prlimit", "--nofile=64:64"};
  LocalSystem system(options);
  const auto tail = [&] {
    return std::make_unique<RunningProgram>(
        program_path("pipekit-ctl"),
        std::vector<std::string>{"--data-dir", system.data_dir(), "--timeout", "5", "events", "tail"});
  };
  std::vector<std::unique_ptr<RunningProgram>> tails;
  for (int i = 0; i < 70; ++i) tails.push_back(tail());
  system.broker().wait_for_err("error broker: refused");
  EXPECT_THAT(system.broker().err(), HasSubstr("the limit for one local user"));
  EXPECT_THAT(system.broker().err(), HasSubstr("64 files that the broker may have open"));
  WorkerOptions worker;
  worker.wait_joined = false;
  system.start_worker("w1", worker).wait_for_err("welcomed by the broker");  // its socket has a limit of its own
  tails.clear();
  EXPECT_EQ(system.client().ask("status")["broker"]["connections"]["limits"]["open_files"], 64);
  system.broker().signal(SIGTERM);
  EXPECT_EQ(system.broker_end(), 0);
}

TEST(LocalConnectionAttack, by_silent_connections_to_the_ipc_socket_is_survived) {
  BrokerOptions options;
  options.within = {"prlimit", "--nofile=64:64"};
  LocalSystem system(options);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  (system.data_dir() + "/worker.sock").copy(address.sun_path, sizeof address.sun_path - 1);
  std::vector<UniqueFd> held;
  for (int i = 0; i < 300; ++i) {
    held.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    static_cast<void>(::connect(held.back().get(), reinterpret_cast<sockaddr*>(&address), sizeof address));
  }
  EXPECT_EQ(system.client().ask("settings.list").is_array(), true);
  held.clear();
  system.start_worker("w1");
  system.broker().signal(SIGTERM);
  EXPECT_EQ(system.broker_end(), 0);
}

}  // namespace
}  // namespace pipekit::test
