// The encrypted socket: a peer that proves an allowed key is identified by it, and no other peer can send a message.
#include <gtest/gtest.h>

#include <set>

#include "broker/zap.h"
#include "shared/channel.h"
#include "shared/poller.h"
#include "shared/socket_monitor.h"

namespace pipekit {
namespace {

class Curve : public testing::Test {
 protected:
  Curve() {
    endpoint_ = router_.socket().get(zmq::sockopt::last_endpoint);
    allowed_.insert(client_.public_key);
  }

  // Serves both sides until something is received or a handshake has failed.
  std::optional<Received> receive(SocketMonitor* monitor = nullptr) {
    for (;;) {
      Poller poller;
      const auto handshake = poller.add(zap_.socket());
      poller.add(router_.socket());
      if (monitor != nullptr) poller.add(monitor->socket());
      poller.wait_until(clock_.now() + std::chrono::seconds{20}, clock_);
      using Answer = ZapSocket::Answer;
      const auto judge = [&](const std::string& key) {
        return allowed_.contains(key) ? Answer::allowed : Answer::unknown;
      };
      if (poller.readable(handshake)) zap_.answer(judge);
      if (auto received = router_.try_receive()) return received;
      while (const auto event = monitor != nullptr ? monitor->next() : std::nullopt) {
        if (is_refusal(*event)) return std::nullopt;
      }
      if (clock_.now() > give_up_) throw std::runtime_error("neither a frame nor a refusal");
    }
  }

  // The result of a hello with these keys: "KEY", or "refused".
  std::string hello_with(const std::optional<ClientKeys>& keys) {
    DealerSocket dealer(context_, endpoint_, true, keys);
    SocketMonitor monitor(context_, dealer.socket(), kRefusals);
    dealer.send({"head", "body"});
    const auto received = receive(&monitor);
    return received ? received->key : "refused";
  }

  SystemClock clock_;
  MonoTime give_up_ = clock_.now() + std::chrono::seconds{20};
  zmq::context_t context_;
  ZapSocket zap_{context_};
  KeyPair server_ = new_key_pair();
  KeyPair client_ = new_key_pair();
  std::set<std::string> allowed_;
  RouterSocket router_{context_, "tcp://127.0.0.1:*", 1000, server_};
  std::string endpoint_;
};

TEST_F(Curve, a_peer_is_known_by_the_key_that_it_has_proven) {
  EXPECT_EQ(hello_with(ClientKeys{client_, server_.public_key}), client_.public_key);
}

TEST_F(Curve, an_unknown_key_and_no_key_are_refused) {
  EXPECT_EQ(hello_with(ClientKeys{new_key_pair(), server_.public_key}), "refused");
  EXPECT_EQ(hello_with(std::nullopt), "refused");
  EXPECT_EQ(hello_with(ClientKeys{client_, server_.public_key}), client_.public_key) << "and the others go on";
}

TEST_F(Curve, somebody_elses_public_key_is_not_enough) {
  const KeyPair thief{client_.public_key, new_key_pair().secret_key};
  DealerSocket dealer(context_, endpoint_, true, ClientKeys{thief, server_.public_key});
  SocketMonitor monitor(context_, dealer.socket(), ZMQ_EVENT_DISCONNECTED | kRefusals);
  dealer.send({"head", "body"});
  Poller poller;
  const auto ended = poller.add(monitor.socket());
  poller.wait_until(clock_.now() + std::chrono::seconds{20}, clock_);
  EXPECT_TRUE(poller.readable(ended));
  EXPECT_FALSE(router_.try_receive());
}

TEST_F(Curve, an_answer_comes_back_over_the_same_connection) {
  DealerSocket dealer(context_, endpoint_, true, ClientKeys{client_, server_.public_key});
  dealer.send({"head", "body"});
  const auto received = receive();
  ASSERT_TRUE(received);
  EXPECT_TRUE(router_.send(received->peer, {"back", "again"}));
  Poller poller;
  poller.add(dealer.socket());
  poller.wait_until(clock_.now() + std::chrono::seconds{20}, clock_);
  const auto answer = dealer.try_receive();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->frames.head, "back");
}

}  // namespace
}  // namespace pipekit
