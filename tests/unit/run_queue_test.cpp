#include "broker/run_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using testing::ElementsAre;

// The first `most` runs that find a worker, in order.
std::vector<int64_t> order(const RunQueue& queue, size_t most, std::map<RunQueue::Lane, int64_t> under_way = {}) {
  RunQueue::Pass pass(queue, std::move(under_way));
  std::vector<int64_t> runs;
  while (runs.size() < most) {
    const auto run = pass.next();
    if (!run) break;
    pass.placed();
    runs.push_back(run->value);
  }
  return runs;
}

RunQueue queue_of(std::initializer_list<std::tuple<int64_t, int64_t, int64_t>> runs) {
  RunQueue queue;
  for (const auto& [priority, lane, run] : runs) queue.insert(priority, lane, RunId{run});
  return queue;
}

TEST(RunQueue, offers_the_oldest_first) {
  EXPECT_THAT(order(queue_of({{0, 0, 3}, {0, 0, 1}, {0, 0, 2}}), 9), ElementsAre(1, 2, 3));
  EXPECT_TRUE(order(RunQueue{}, 9).empty());
}

TEST(RunQueue, offers_higher_priorities_before_all_others) {
  EXPECT_THAT(order(queue_of({{0, 1, 1}, {-5, 2, 2}, {7, 3, 4}, {7, 1, 3}}), 9), ElementsAre(3, 4, 1, 2));
}

TEST(RunQueue, lets_groups_take_turns) {
  const auto queue = queue_of({{0, 1, 1}, {0, 1, 2}, {0, 1, 3}, {0, 1, 4}, {0, 2, 5}, {0, 2, 6}, {0, 0, 7}});
  EXPECT_THAT(order(queue, 9), ElementsAre(1, 5, 7, 2, 6, 3, 4));
}

TEST(RunQueue, lets_groups_take_turns_over_a_single_slot) {
  auto queue = queue_of({{0, 1, 1}, {0, 1, 2}, {0, 1, 3}, {0, 2, 4}, {0, 2, 5}});
  const std::map<int64_t, RunQueue::Lane> lanes = {{1, 1}, {2, 1}, {3, 1}, {4, 2}, {5, 2}};
  std::vector<int64_t> runs;
  while (!queue.empty()) {
    runs.push_back(order(queue, 1).at(0));
    queue.erase(0, lanes.at(runs.back()), RunId{runs.back()});
    queue.had_its_turn(lanes.at(runs.back()));
  }
  EXPECT_THAT(runs, ElementsAre(1, 4, 2, 5, 3));
}

TEST(RunQueue, counts_what_a_group_has_under_way_already) {
  const auto queue = queue_of({{0, 1, 1}, {0, 1, 2}, {0, 2, 3}, {0, 2, 4}, {0, 2, 5}});
  EXPECT_THAT(order(queue, 4, {{1, 2}}), ElementsAre(3, 4, 1, 5));
}

TEST(RunQueue, does_not_count_what_finds_no_worker) {
  const auto queue = queue_of({{0, 1, 1}, {0, 1, 2}, {0, 2, 3}});
  RunQueue::Pass pass(queue, {});
  EXPECT_EQ(pass.next(), RunId{1});
  EXPECT_EQ(pass.next(), RunId{2}) << "its group still has nothing under way, and waits longer";
  EXPECT_EQ(pass.next(), RunId{3});
  EXPECT_EQ(pass.next(), std::nullopt);
  EXPECT_EQ(pass.next(), std::nullopt);
}

TEST(RunQueue, forgets_what_is_taken_out_once) {
  auto queue = queue_of({{0, 1, 1}, {0, 2, 2}, {3, 2, 3}});
  queue.insert(0, 1, RunId{1});
  EXPECT_EQ(queue.size(), 3U);
  queue.erase(0, 1, RunId{1});
  queue.erase(0, 1, RunId{1});
  queue.erase(3, 2, RunId{2});
  EXPECT_EQ(queue.size(), 2U);
  EXPECT_THAT(order(queue, 9), ElementsAre(3, 2));
  queue.erase(3, 2, RunId{3});
  queue.erase(0, 2, RunId{2});
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace pipekit
