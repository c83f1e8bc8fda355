#include "worker/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit::worker {
namespace {

using testing::ElementsAre;

constexpr RunKey kA{{1}, {10}};
constexpr RunKey kB{{2}, {11}};

std::vector<std::string> open(const Outbox& outbox) {
  std::vector<std::string> bodies;
  for (const auto* frames : outbox.open()) bodies.push_back(frames->body);
  return bodies;
}

TEST(Outbox, keeps_each_attempts_facts_in_order_until_they_are_durable) {
  Outbox outbox;
  EXPECT_TRUE(outbox.empty());
  outbox.add(kB, 1, false, {"h", "b1"});
  outbox.add(kA, 1, false, {"h", "a1"});
  outbox.add(kA, 2, false, {"h", "a2"});
  outbox.add(kA, 3, true, {"h", "a3"});
  EXPECT_THAT(open(outbox), ElementsAre("a1", "a2", "a3", "b1"));
  EXPECT_FALSE(outbox.acknowledged(kA, 2));
  EXPECT_THAT(open(outbox), ElementsAre("a3", "b1"));
  EXPECT_FALSE(outbox.acknowledged(kA, 2)) << "again";
  EXPECT_TRUE(outbox.acknowledged(kA, 3)) << "its final fact: the attempt is over";
  EXPECT_FALSE(outbox.acknowledged(kA, 3)) << "once";
  EXPECT_FALSE(outbox.acknowledged(kB, 0));
  EXPECT_FALSE(outbox.empty());
  EXPECT_FALSE(outbox.acknowledged(kB, 99));
  EXPECT_TRUE(outbox.empty());
}

}  // namespace
}  // namespace pipekit::worker
