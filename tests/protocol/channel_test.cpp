#include "shared/channel.h"

#include <gtest/gtest.h>

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
  // The next well-formed message; what is not is dropped on the way.
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

TEST_F(Channel, drops_and_counts_what_has_not_two_frames) {
  auto raw = raw_dealer();
  send(raw, {"alone"});
  send(raw, {"one", "two", "three"});
  send(raw, {"1", "2", "3", "4", "5", "6"});
  send(raw, {""});
  send(raw, {"head", "body"});
  EXPECT_EQ(receive(router_).frames.head, "head");
  EXPECT_EQ(router_.malformed(), 4);
}

TEST_F(Channel, drops_and_counts_peers_that_chose_their_own_id) {
  auto impostor = raw_dealer("worker-1");
  send(impostor, {"head", "theirs"});
  auto short_id = raw_dealer("abcde");  // as long as one of ours
  send(short_id, {"head", "theirs"});
  auto honest = raw_dealer();
  send(honest, {"head", "ours"});
  std::vector<std::string> seen;
  while (router_.malformed() < 2 || seen.empty()) {
    Poller poller;
    poller.add(router_.socket());
    poller.wait_until(clock_.now() + std::chrono::seconds(10), clock_);
    ASSERT_TRUE(poller.readable(0));
    while (auto received = router_.try_receive()) seen.push_back(received->frames.body);
  }
  EXPECT_EQ(seen, std::vector<std::string>{"ours"});
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
  // The router learns of it when it next looks, which every send does.
  const auto patience = clock_.now() + std::chrono::seconds(10);
  while (router_.send(peer, {"head", "body"})) ASSERT_LT(clock_.now(), patience);
}

TEST_F(Channel, says_that_a_peer_which_reads_nothing_is_full) {
  auto slow = raw_dealer();
  send(slow, {"head", "body"});
  const auto peer = receive(router_).peer;
  const Frames big{"head", std::string(64 * 1024, 'x')};
  int sent = 0;
  while (router_.send(peer, big)) ASSERT_LT(++sent, 100'000);
  EXPECT_GT(sent, 0);
  auto other = raw_dealer();
  send(other, {"head", "other"});
  EXPECT_TRUE(router_.send(receive(router_).peer, big)) << "others are not held up";
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
