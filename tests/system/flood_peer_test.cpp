// One process that exceeds its limits, in every possible way: the others are answered, and the worker's runs end. The
// floods come from this process; everything that must not suffer is a separate process.
#include <atomic>
#include <fstream>
#include <thread>

#include "shared/codec.h"
#include "shared/open_files.h"
#include "tests/system/site.h"

namespace pipekit::test {
namespace {

constexpr int64_t kMostRssKib = 200L * 1024;

std::vector<std::string> parts_of(const ClientToBroker& message) {
  const auto frames = encode(message);
  return {frames.head, frames.body};
}

Request request(int64_t number, const std::string& verb) {
  Request request;
  request.client = "flood";
  request.number = number;
  request.verb = verb;
  return request;
}

// A thread that sends these messages in turn, as fast as they are accepted, and never reads.
class Sender {
 public:
  Sender(const std::string& endpoint, std::vector<std::vector<std::string>> messages)
      : messages_(std::move(messages)), thread_([this, endpoint] { run(endpoint); }) {}
  ~Sender() {
    stop_ = true;
    thread_.join();
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

 private:
  void run(const std::string& endpoint) {
    zmq::context_t context;
    zmq::socket_t socket(context, zmq::socket_type::dealer);
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::sndtimeo, 100);
    socket.connect(endpoint);
    for (size_t i = 0; !stop_; i = (i + 1) % messages_.size()) send(socket, messages_[i]);
  }
  static void send(zmq::socket_t& socket, const std::vector<std::string>& parts) {
    for (size_t i = 0; i < parts.size(); ++i) {
      const auto more = i + 1 < parts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
      if (!socket.send(zmq::buffer(parts[i]), more)) return;  // full: the first part was not accepted
    }
  }

  std::vector<std::vector<std::string>> messages_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class Flood : public ::testing::Test {
 protected:
  Flood() { site_.start_worker(); }

  Json broker() { return site_.json({"status"}).at("broker"); }
  std::string endpoint(const std::string& socket) { return "ipc://" + site_.system().data_dir() + "/" + socket; }
  void expect_others_are_served() {
    site_.expect_free();
    EXPECT_EQ(site_.json({"module", "show", "good"}).at("name"), "good");
    EXPECT_EQ(site_.json({"workers", "list"}).at(0).at("state"), "connected");
  }
  // How far the flood has come.
  template <class Predicate>
  void await(Predicate seen) {
    const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!seen(broker())) ASSERT_LT(std::chrono::steady_clock::now(), patience);
  }
  void expect_memory_is_bounded() {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    std::ifstream status("/proc/" + std::to_string(site_.system().broker().pid()) + "/status");
    int64_t kib = -1;
    for (std::string word; status >> word;) {
      if (word == "VmHWM:") status >> kib;
    }
    EXPECT_LT(kib, kMostRssKib);
#endif
  }

  Site site_;
};

TEST_F(Flood, of_commands_is_cut_off_and_not_felt) {
  const auto before = site_.export_all();
  {
    const Sender flood(endpoint("control.sock"), {parts_of(request(1, "status")), parts_of(request(2, "export")),
                                                  parts_of(request(3, "cancel"))});
    expect_others_are_served();
    await([](const Json& status) { return status.at("cut_off_now") == 1; });
    expect_others_are_served();
  }
  EXPECT_GT(broker().at("throttled"), 0);
  EXPECT_EQ(site_.export_all(), before);
  expect_memory_is_bounded();
}

TEST_F(Flood, of_garbage_on_both_sockets_is_cut_off_and_not_felt) {
  const auto before = site_.export_all();
  const auto head = parts_of(request(1, "status")).front();
  const std::vector<std::vector<std::string>> garbage = {
      {"alone"}, {"", ""}, {head, "garbage"}, {head, std::string(100'000, 'x')}, {"a", "b", "c"}};
  {
    const Sender control(endpoint("control.sock"), garbage);
    const Sender worker(endpoint("worker.sock"), garbage);
    const Sender again(endpoint("worker.sock"), garbage);
    await([](const Json& status) { return status.at("cut_off_now") == 2; });
    expect_others_are_served();
  }
  EXPECT_GT(broker().at("malformed_frames"), 100);
  EXPECT_EQ(site_.export_all(), before);
  expect_memory_is_bounded();
}

TEST_F(Flood, of_the_largest_frames_is_cut_off_and_not_felt) {
  const auto before = site_.export_all();
  auto large = request(1, "run");
  std::string name;
  name.resize(15'000'000, 'x');
  large.args = {{"module", std::move(name)}};
  {
    const Sender flood(endpoint("control.sock"), {parts_of(large)});
    await([](const Json& status) { return status.at("cut_off_now") == 1; });
    expect_others_are_served();
  }
  EXPECT_EQ(site_.export_all(), before);
}

TEST_F(Flood, of_tails_is_bounded_and_another_opens_its_own) {
  constexpr int kConnections = 1000;
  raise_open_files();
  zmq::context_t context(1, kConnections + 10);
  std::vector<zmq::socket_t> sockets;
  for (int i = 0; i < kConnections; ++i) {
    auto& socket = sockets.emplace_back(context, zmq::socket_type::dealer);
    socket.set(zmq::sockopt::linger, 0);
    socket.connect(endpoint("control.sock"));
    for (int64_t number = 1; number <= 10; ++number) {
      const auto parts = parts_of(TailRequest{number, INT64_MAX / 2, true, {}});
      socket.send(zmq::buffer(parts[0]), zmq::send_flags::sndmore);
      socket.send(zmq::buffer(parts[1]), zmq::send_flags::none);
    }
  }
  await([](const Json& status) { return status.at("open_tails") >= 128; });
  expect_others_are_served();
  EXPECT_EQ(site_.ctl({"events", "tail", "--since", "0", "--no-follow"}).exit_code, 0);
  EXPECT_LE(broker().at("open_tails"), 129);
  expect_memory_is_bounded();
}

}  // namespace
}  // namespace pipekit::test
