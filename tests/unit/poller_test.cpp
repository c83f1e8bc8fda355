#include "shared/poller.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "shared/unique_fd.h"

namespace pipekit {
namespace {

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::runtime_error("pipe");
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  UniqueFd read;
  UniqueFd write;
};

class PollerTest : public testing::Test {
 protected:
  Millis waited(std::optional<MonoTime> deadline) {
    const auto before = clock_.now();
    poller_.wait_until(deadline, clock_);
    return std::chrono::floor<Millis>(clock_.now() - before);
  }
  SystemClock clock_;
  Poller poller_;
};

TEST_F(PollerTest, returns_when_something_is_readable) {
  Pipe quiet;
  Pipe loud;
  const auto a = poller_.add(quiet.read.get());
  const auto b = poller_.add(loud.read.get());
  ASSERT_EQ(::write(loud.write.get(), "x", 1), 1);
  poller_.wait_until(std::nullopt, clock_);
  EXPECT_FALSE(poller_.readable(a));
  EXPECT_TRUE(poller_.readable(b));
}

TEST_F(PollerTest, returns_at_the_deadline_and_not_before) {
  Pipe quiet;
  const auto slot = poller_.add(quiet.read.get());
  EXPECT_GE(waited(clock_.now() + Millis{20}), Millis{20});
  EXPECT_FALSE(poller_.readable(slot));
}

TEST_F(PollerTest, looks_once_when_the_deadline_has_passed) {
  Pipe pipe;
  const auto slot = poller_.add(pipe.read.get());
  poller_.wait_until(MonoTime{}, clock_);
  EXPECT_FALSE(poller_.readable(slot));
  ASSERT_EQ(::write(pipe.write.get(), "x", 1), 1);
  poller_.wait_until(MonoTime{}, clock_);
  EXPECT_TRUE(poller_.readable(slot));
}

TEST_F(PollerTest, watches_sockets_and_files_together) {
  zmq::context_t context;
  zmq::socket_t a(context, zmq::socket_type::pair);
  zmq::socket_t b(context, zmq::socket_type::pair);
  a.bind("inproc://a");
  b.connect("inproc://a");
  Pipe pipe;
  const auto socket = poller_.add(a);
  const auto file = poller_.add(pipe.read.get());
  b.send(zmq::buffer("x"), zmq::send_flags::none);
  poller_.wait_until(std::nullopt, clock_);
  EXPECT_TRUE(poller_.readable(socket));
  EXPECT_FALSE(poller_.readable(file));
  poller_.watch(socket, false);
  poller_.wait_until(MonoTime{}, clock_);
  EXPECT_FALSE(poller_.readable(socket)) << "not watched for now";
  poller_.watch(socket, true);
  poller_.wait_until(MonoTime{}, clock_);
  EXPECT_TRUE(poller_.readable(socket));
}

TEST_F(PollerTest, does_not_spin_on_a_hang_up_that_is_not_watched) {
  Pipe pipe;
  const auto slot = poller_.add(pipe.read.get());
  pipe.write.reset();
  poller_.wait_until(std::nullopt, clock_);
  EXPECT_TRUE(poller_.readable(slot));
  poller_.watch(slot, false);
  EXPECT_GE(waited(clock_.now() + Millis{20}), Millis{20});
  EXPECT_FALSE(poller_.readable(slot));
  poller_.watch(slot, true);
  poller_.wait_until(std::nullopt, clock_);
  EXPECT_TRUE(poller_.readable(slot));
}

}  // namespace
}  // namespace pipekit
