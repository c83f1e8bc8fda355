// Misbehaving peers: the broker continues as if nothing had happened.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "shared/codec.h"
#include "tests/system/site.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// The suite's own system, which must not be affected.
class Peer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    site_ = std::make_unique<Site>();
    site_->start_worker();
  }
  static void TearDownTestSuite() { site_.reset(); }
  static int64_t peak_rss_kib() {
    std::ifstream status("/proc/" + std::to_string(site_->system().broker().pid()) + "/status");
    for (std::string word; status >> word;) {
      int64_t kib = 0;
      if (word == "VmHWM:" && status >> kib) return kib;
    }
    return -1;
  }
  static void expect_unmoved(const std::string& before) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    EXPECT_LT(peak_rss_kib(), 200 * 1024);
#endif
    EXPECT_EQ(site_->export_all(), before);
    site_->expect_free();
  }
  static std::unique_ptr<Site> site_;
};
std::unique_ptr<Site> Peer::site_;

TEST_F(Peer, that_is_a_second_broker_on_the_same_store_is_refused) {
  const auto before = site_->export_all();
  const auto second = run_program(program_path("pipekit-broker"), {"--data-dir", site_->system().data_dir()});
  EXPECT_EQ(second.exit_code, 5);
  EXPECT_THAT(second.err, AllOf(HasSubstr("another broker has the store"), HasSubstr("--data-dir")));
  expect_unmoved(before);
}

std::vector<std::vector<std::string>> garbage() {
  std::mt19937_64 random(1);
  std::string noise(70'000, '\0');
  for (auto& byte : noise) byte = static_cast<char>(random());
  auto good = encode(ClientToBroker{Request{}});
  return {{""},
          {"x"},
          {"", ""},
          {noise},
          {noise, noise},
          {"", "", ""},
          {good.head},
          {good.head, ""},
          {good.head, noise},
          {good.head, good.body.substr(0, good.body.size() / 2)},
          {good.head, good.body, "more"},
          std::vector<std::string>(200, "part"),
          {good.head, std::string(1'000'000, '\x91')},  // an array in an array in an array
          {good.head, std::string(17U << 20U, 'x')}};   // larger than the largest frame: the connection is closed
}

void send_parts(zmq::socket_t& socket, const std::vector<std::string>& parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    socket.send(zmq::buffer(parts[i]), i + 1 < parts.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
}

// Bytes that are not even ZeroMQ.
void knock(const std::string& path, const std::string& bytes) {
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0) << path;
  static_cast<void>(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

TEST_F(Peer, that_sends_garbage_on_every_socket_is_not_felt) {
  const auto before = site_->export_all();
  zmq::context_t context;
  for (const auto* name : {"control.sock", "worker.sock"}) {
    const auto path = site_->system().data_dir() + "/" + name;
    for (const auto& bytes : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100'000, '\xff'), std::string()}) {
      knock(path, bytes);
    }
    for (const auto& parts : garbage()) {
      for (const auto type : {zmq::socket_type::dealer, zmq::socket_type::req}) {
        zmq::socket_t socket(context, type);
        socket.set(zmq::sockopt::linger, 1000);
        socket.connect("ipc://" + path);
        send_parts(socket, parts);
      }
    }
    zmq::socket_t named(context, zmq::socket_type::dealer);  // chooses its own routing ID
    named.set(zmq::sockopt::linger, 1000);
    named.set(zmq::sockopt::routing_id, "w1");
    named.connect("ipc://" + path);
    const auto good = encode(ClientToBroker{Request{}});
    send_parts(named, {good.head, good.body});
  }
  context.close();  // everything has been sent
  expect_unmoved(before);
}

TEST_F(Peer, that_sends_and_never_reads_is_not_felt) {
  const auto before = site_->export_all();
  zmq::context_t context;
  std::vector<std::unique_ptr<DealerSocket>> silent;
  for (int peer = 0; peer < 4; ++peer) {
    silent.push_back(std::make_unique<DealerSocket>(context, site_->system().control_endpoint(), true));
    for (int64_t i = 1; i <= 2000; ++i) {
      Request request;
      request.client = "silent" + std::to_string(peer);
      request.number = i;
      request.verb = "export";
      silent.back()->send(encode(ClientToBroker{request}));
    }
  }
  expect_unmoved(before);
}

}  // namespace
}  // namespace pipekit::test
