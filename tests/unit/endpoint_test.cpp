#include "shared/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

TEST(Endpoint, stands_in_the_data_directory) {
  EXPECT_EQ(*control_endpoint_in("/var/lib/pipekit"), "ipc:///var/lib/pipekit/control.sock");
  EXPECT_EQ(*worker_endpoint_in("/var/lib/../lib/pipekit/"), "ipc:///var/lib/pipekit/worker.sock");
  EXPECT_TRUE(control_endpoint_in("relative")->starts_with("ipc:///"));
}

TEST(Endpoint, refuses_a_path_that_no_socket_can_have) {
  const auto fits = "/" + std::string(107 - 1 - std::string("/control.sock").size(), 'd');
  EXPECT_TRUE(control_endpoint_in(fits));
  const auto refused = control_endpoint_in(fits + "d");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUsage);
  EXPECT_THAT(refused.error().message, testing::HasSubstr("has 108 characters, 107 are possible"));
  EXPECT_FALSE(refused.error().hint.empty());
}

TEST(Endpoint, is_refused_where_zeromq_would_guess) {
  for (const auto* good :
       {"ipc:///run/x.sock", "tcp://127.0.0.1:7601", "tcp://[::1]:1", "tcp://host.example.org:65535"}) {
    EXPECT_TRUE(check_endpoint(good)) << good;
  }
  for (const auto* bad : {"", "garbage", "http://host:1", "ipc://", "tcp://", "tcp://:1", "tcp://host", "tcp://host:",
                          "tcp://host:0", "tcp://host:65536", "tcp://host:1x", "tcp://host:-1", "inproc://x"}) {
    EXPECT_FALSE(check_endpoint(bad)) << bad;
  }
  EXPECT_FALSE(check_endpoint("ipc:///" + std::string(107, 'x')));
}

TEST(Endpoint, is_local_when_no_other_host_gets_there) {
  for (const auto* local : {"ipc:///run/x.sock", "tcp://127.0.0.1:7601", "tcp://127.8.9.1:1", "tcp://localhost:1",
                            "tcp://[::1]:7601", kDefaultControlEndpoint, kDefaultWorkerEndpoint}) {
    EXPECT_TRUE(is_local(local)) << local;
  }
  for (const auto* open : {"tcp://*:7601", "tcp://0.0.0.0:1", "tcp://10.0.0.1:1", "tcp://[::]:1", "tcp://eth0:1", "",
                           "tcp://localhost.example.org:1", "tcp://127.example.org:1", "tcp://[::1%eth0].org:1"}) {
    EXPECT_FALSE(is_local(open)) << open;
  }
}

}  // namespace
}  // namespace pipekit
