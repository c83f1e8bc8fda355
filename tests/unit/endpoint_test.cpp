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
  for (const auto* bad : {"",
                          "garbage",
                          "http://host:1",
                          "ipc://",
                          "tcp://",
                          "tcp://:1",
                          "tcp://host",
                          "tcp://host:",
                          "tcp://host:0",
                          "tcp://host:65536",
                          "tcp://host:1x",
                          "tcp://host:-1",
                          "inproc://x",
                          "tcp://127.0.0.1:0;0.0.0.0:27999",
                          "tcp://127.0.0.1:1;tcp://0.0.0.0:2",
                          "tcp://a b:1",
                          "ipc://relative.sock",
                          "ipc://~/x.sock",
                          "ipc://@abstract",
                          "ipc://*",
                          "ipc:///a/../x.sock"}) {
    EXPECT_FALSE(check_endpoint(bad)) << bad;
  }
  EXPECT_FALSE(check_endpoint("ipc:///" + std::string(107, 'x')));
}

TEST(Endpoint, is_where_zeromq_says_that_it_listens) {
  EXPECT_TRUE(is_bound_as_asked("tcp://127.0.0.1:7601", "tcp://127.0.0.1:7601"));
  EXPECT_TRUE(is_bound_as_asked("tcp://[::1]:7601", "tcp://[::1]:7601"));
  EXPECT_TRUE(is_bound_as_asked("tcp://[0:0::1]:7601", "tcp://[::1]:7601"));
  EXPECT_TRUE(is_bound_as_asked("tcp://localhost:7601", "tcp://127.0.0.1:7601"));
  EXPECT_TRUE(is_bound_as_asked("tcp://127.0.0.1:*", "tcp://127.0.0.1:4711"));
  EXPECT_TRUE(is_bound_as_asked("ipc:///run/x.sock", "ipc:///run/x.sock"));
  EXPECT_FALSE(is_bound_as_asked("tcp://127.0.0.1:7601", "tcp://0.0.0.0:7601"));
  EXPECT_FALSE(is_bound_as_asked("tcp://127.0.0.1:7601", "tcp://127.0.0.1:7602"));
  EXPECT_FALSE(is_bound_as_asked("tcp://127.0.0.1:0;0.0.0.0:27999", "tcp://0.0.0.0:27999"));
  EXPECT_FALSE(is_bound_as_asked("ipc:///run/x.sock", "ipc:///run/y.sock"));
}

TEST(Endpoint, is_decided_by_the_nearest_origin) {
  const Given tcp_variable{"tcp://h:1", Origin::variable};
  EXPECT_EQ(*choose_endpoint(Socket::worker, tcp_variable, {"/d", Origin::flag}), "ipc:///d/worker.sock");
  EXPECT_EQ(*choose_endpoint(Socket::worker, tcp_variable, {"/d", Origin::variable}), "tcp://h:1");
  EXPECT_EQ(*choose_endpoint(Socket::worker, tcp_variable, {"/d", Origin::file}), "tcp://h:1");
  EXPECT_EQ(*choose_endpoint(Socket::control, {}, {"/d", Origin::file}), "ipc:///d/control.sock");
  EXPECT_EQ(*choose_endpoint(Socket::control, {}, {}), "ipc:///run/pipekit/control.sock");
  EXPECT_EQ(*choose_endpoint(Socket::worker, {}, {}), "ipc:///run/pipekit/worker.sock");
}

}  // namespace
}  // namespace pipekit
