#include "shared/channel.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "shared/poller.h"
#include "tests/support/temp_dir.h"

namespace pipekit {
namespace {

class Channel : public testing::Test {
 protected:
  // A dealer that may break the rules.
  zmq::socket_t raw_dealer(const char* routing_id = nullptr) {
    zmq::socket_t socket(context_, zmq::socket_type::dealer);
    socket.set(zmq::sockopt::linger, 0);
    if (routing_id != nullptr) socket.set(zmq::sockopt::routing_id, routing_id);
    socket.connect(endpoint_);
    return socket;
  }
  static void send(zmq::socket_t& socket, const std::vector<std::string>& parts) {
    for (size_t i = 0; i < parts.size(); ++i) {
      const auto more = i + 1 < parts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none;
      socket.send(zmq::buffer(parts[i]), more);
    }
  }
  template <class Socket>
  Received receive(Socket& from) {
    Poller poller;
    poller.add(from.socket());
    const auto patience = clock_.now() + std::chrono::seconds(10);
    for (;;) {
      if (auto received = from.try_receive()) return *received;
      if (clock_.now() >= patience) throw std::runtime_error("nothing arrived");
      poller.wait_until(patience, clock_);
    }
  }

  SystemClock clock_;
  test::TempDir dir_;
  zmq::context_t context_;
  std::string endpoint_ = "ipc://" + dir_.file("socket");
  RouterSocket router_{context_, endpoint_, 1000};
};

TEST_F(Channel, carries_a_message_there_and_its_answer_back) {
  DealerSocket dealer(context_, endpoint_, true);
  ASSERT_TRUE(dealer.send({"head", "body"}));
  const auto received = receive(router_);
  EXPECT_EQ(received.frames.head, "head");
  EXPECT_EQ(received.frames.body, "body");
  EXPECT_EQ(received.peer.size(), 5U);
  ASSERT_TRUE(router_.send(received.peer, {"re", std::string(1000, '\0')}));
  EXPECT_EQ(receive(dealer).frames.body, std::string(1000, '\0'));
  EXPECT_FALSE(router_.try_receive());
}

TEST_F(Channel, tells_what_has_not_two_frames_one_by_one) {
  auto raw = raw_dealer();
  const std::vector<std::vector<std::string>> wrong = {
      {"alone"}, {"one", "two", "three"}, {"1", "2", "3", "4", "5", "6"}, {""}};
  for (const auto& parts : wrong) send(raw, parts);
  send(raw, {"head", "body"});
  for (size_t i = 0; i < wrong.size(); ++i) {
    const auto received = receive(router_);
    EXPECT_TRUE(received.misshapen) << i;
    EXPECT_EQ(received.frames.body, "") << i;
  }
  const auto good = receive(router_);
  EXPECT_FALSE(good.misshapen);
  EXPECT_EQ(good.frames.head, "head");
}

TEST_F(Channel, a_peer_that_chose_its_own_id_has_no_name) {
  auto impostor = raw_dealer("worker-1");
  send(impostor, {"head", "theirs"});
  auto short_id = raw_dealer("abcde");  // as long as the broker's own
  send(short_id, {"head", "theirs"});
  for (int i = 0; i < 2; ++i) {
    const auto received = receive(router_);
    EXPECT_TRUE(received.misshapen);
    EXPECT_EQ(received.peer, "");
    EXPECT_EQ(received.frames.body, "");
  }
}

TEST_F(Channel, on_ipc_the_kernel_says_which_process_it_is) {
  DealerSocket dealer(context_, endpoint_, true);
  dealer.send({"head", "body"});
  EXPECT_EQ(receive(router_).process, fmt::format("{}:{}:{}", ::getuid(), ::getgid(), ::getpid()));
}

TEST_F(Channel, on_tcp_nobody_does) {
  RouterSocket router(context_, "tcp://[::1]:*", 1000);
  DealerSocket dealer(context_, router.socket().get(zmq::sockopt::last_endpoint), true);
  dealer.send({"head", "body"});
  EXPECT_EQ(receive(router).process, "");
}

TEST_F(Channel, says_that_a_peer_is_gone) {
  EXPECT_FALSE(router_.send(std::string("\0abcd", 5), {"head", "body"})) << "never seen";
  std::string peer;
  {
    DealerSocket dealer(context_, endpoint_, true);
    dealer.send({"head", "body"});
    peer = receive(router_).peer;
    EXPECT_TRUE(router_.send(peer, {"head", "body"}));
  }
  // The router notices when it next polls, which every send does.
  const auto patience = clock_.now() + std::chrono::seconds(10);
  while (router_.send(peer, {"head", "body"})) ASSERT_LT(clock_.now(), patience);
}

TEST_F(Channel, says_that_a_peer_which_reads_nothing_is_full) {
  auto slow = raw_dealer();
  send(slow, {"head", "body"});
  const auto peer = receive(router_).peer;
  const Frames big{"head", std::string(65'536, 'x')};
  int sent = 0;
  while (router_.send(peer, big)) ASSERT_LT(++sent, 100'000);
  EXPECT_GT(sent, 0);
  auto other = raw_dealer();
  send(other, {"head", "other"});
  EXPECT_TRUE(router_.send(receive(router_).peer, big)) << "others are not held up";
}

// The system's socket buffers take about a megabyte in addition to what is held.
TEST_F(Channel, holds_a_bounded_number_of_bytes_for_who_does_not_read) {
  constexpr int64_t kBytes = int64_t{8} << 20U;
  RouterSocket router(context_, "ipc://" + dir_.file("bounded"), 1000, std::nullopt, kBytes);
  zmq::socket_t slow(context_, zmq::socket_type::dealer);
  slow.set(zmq::sockopt::linger, 0);
  slow.set(zmq::sockopt::rcvhwm, 1);
  slow.connect("ipc://" + dir_.file("bounded"));
  send(slow, {"head", "body"});
  const auto peer = receive(router).peer;
  const Frames big{"head", std::string(1 << 20U, 'x')};
  int sent = 0;
  while (router.send(peer, big)) ASSERT_LT(++sent, 20);
  EXPECT_GE(sent, 8);
  EXPECT_TRUE(router.send(peer, {"head", "a small one"})) << "has room beside them";
  DealerSocket other(context_, "ipc://" + dir_.file("bounded"), true);
  other.send({"head", "body"});
  const auto second = receive(router).peer;
  EXPECT_TRUE(router.send(second, {"head", std::string(kMaxFrameBytes, 'x')})) << "one alone may have any size";
  for (int i = 0; i < sent; ++i) {
    zmq::message_t part;
    ASSERT_TRUE(slow.recv(part));
    ASSERT_TRUE(slow.recv(part));
    EXPECT_EQ(part.size(), big.body.size());
  }
  EXPECT_TRUE(router.send(peer, big)) << "who has read them is sent more";
}

TEST_F(Channel, cuts_off_a_peer_that_sends_more_than_16_MiB_and_serves_the_others) {
  auto greedy = raw_dealer();
  zmq::socket_t events(context_, zmq::socket_type::pair);
  ASSERT_EQ(zmq_socket_monitor(router_.socket().handle(), "inproc://monitor", ZMQ_EVENT_DISCONNECTED), 0);
  events.connect("inproc://monitor");
  send(greedy, {"head", std::string(kMaxFrameBytes + 1, 'x')});
  zmq::message_t event;
  ASSERT_TRUE(events.recv(event));  // cut off
  auto honest = raw_dealer();
  send(honest, {"head", std::string(kMaxFrameBytes, 'x')});
  EXPECT_EQ(receive(router_).frames.body.size(), kMaxFrameBytes);
}

TEST_F(Channel, says_that_nobody_is_connected_unless_it_is_to_wait) {
  const auto nobody = "ipc://" + dir_.file("nobody");
  DealerSocket impatient(context_, nobody);
  EXPECT_FALSE(impatient.send({"head", "body"}));
  DealerSocket patient(context_, nobody, true);
  EXPECT_TRUE(patient.send({"head", "hello"}));
  RouterSocket late(context_, nobody, 1000);
  EXPECT_EQ(receive(late).frames.body, "hello");
}

TEST_F(Channel, an_endpoint_in_use_is_an_error_of_the_second) {
  EXPECT_THROW(RouterSocket(context_, "tcp://no-such-host.invalid:1", 1000), EndpointError);
  RouterSocket first(context_, "tcp://127.0.0.1:*", 1000);
  EXPECT_THROW(RouterSocket(context_, first.socket().get(zmq::sockopt::last_endpoint), 1000), EndpointError);
}

}  // namespace
}  // namespace pipekit
