#include "broker/dispatcher.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace pipekit {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Waiting {
  int64_t id;
  Needs needs;
};

Waiting run(int64_t id, std::vector<std::pair<std::string, int64_t>> uses = {}, std::vector<std::string> tags = {},
            std::vector<std::string> drivers = {}) {
  return {id, {std::move(tags), std::move(drivers), std::move(uses)}};
}

std::vector<std::string> placed(const std::vector<Waiting>& waiting, const std::vector<Vacancy>& vacancies,
                                const Sessions& sessions = {}) {
  std::vector<std::string> lines;
  Placer placer(vacancies, sessions);
  for (const auto& [id, needs] : waiting) {
    if (const auto* worker = placer.place(needs)) lines.push_back(fmt::format("{} on {}", id, *worker));
  }
  return lines;
}

TEST(Place, keeps_the_order_and_fills_every_slot) {
  EXPECT_THAT(placed({run(1), run(2), run(3)}, {{"a", 2, {}}}), ElementsAre("1 on a", "2 on a"));
  EXPECT_THAT(placed({run(1)}, {}), IsEmpty());
  EXPECT_THAT(placed({run(1)}, {{"a", 0, {}}, {"b", -1, {}}}), IsEmpty()) << "more busy than it has slots by now";
  EXPECT_THAT(placed({}, {{"a", 2, {}}}), IsEmpty());
}

TEST(Place, is_full_when_no_slot_is_left) {
  EXPECT_TRUE(Placer({}, {}).full());
  EXPECT_TRUE(Placer({{"a", 0, {}}, {"b", -1, {}}}, {}).full());
  Placer placer({{"a", 1, {}}, {"b", -1, {}}}, {});
  EXPECT_FALSE(placer.full());
  ASSERT_NE(placer.place({}), nullptr);
  EXPECT_TRUE(placer.full());
  EXPECT_EQ(placer.place({}), nullptr);
}

TEST(Place, spreads_over_workers) {
  EXPECT_THAT(placed({run(1), run(2), run(3), run(4)}, {{"a", 1, {}}, {"b", 3, {}}}),
              ElementsAre("1 on b", "2 on b", "3 on a", "4 on b"));
}

TEST(Place, wants_every_tag) {
  const std::vector<Vacancy> workers = {{"plain", 9, {}}, {"one", 9, {"site:a"}}, {"both", 1, {"gpu", "site:a"}}};
  EXPECT_THAT(placed({run(1, {}, {"site:a", "gpu"}), run(2, {}, {"site:a", "gpu"}), run(3, {}, {"site:a"})}, workers),
              ElementsAre("1 on both", "3 on one"));
  EXPECT_THAT(placed({run(1, {}, {"site"})}, workers), IsEmpty()) << "a tag is no prefix";
}

TEST(Place, wants_every_driver_of_a_worker_that_names_its_own) {
  const std::vector<Vacancy> workers = {{"pg", 9, {}, {"postgresql"}}, {"both", 1, {}, {"db2", "postgresql"}}};
  EXPECT_THAT(
      placed({run(1, {}, {}, {"db2", "postgresql"}), run(2, {}, {}, {"db2"}), run(3, {}, {}, {"postgresql"})}, workers),
      ElementsAre("1 on both", "3 on pg"));
  EXPECT_THAT(placed({run(1, {}, {}, {"db2"})}, {{"any", 1, {}, {}}}), ElementsAre("1 on any"));
}

TEST(Needs, are_those_of_each_connection_once) {
  ConnectionSnapshot erp;
  erp.name = "erp";
  erp.driver = "db2";
  erp.max_sessions = 2;
  erp.required_tags = {"site:a"};
  auto log = erp;
  log.name = "log";
  log.max_sessions = 0;
  Needs needs;
  for (const auto& connection : {erp, log, erp}) needs.add(connection);
  EXPECT_THAT(needs.uses, ElementsAre(testing::Pair("erp", 2), testing::Pair("log", 0)));
  EXPECT_THAT(needs.drivers, ElementsAre("db2"));
  EXPECT_THAT(needs.tags, testing::Each("site:a"));
}

TEST(Place, keeps_connections_within_their_sessions_and_does_not_hold_up_others) {
  const std::vector<Waiting> waiting = {run(1, {{"erp", 2}}), run(2, {{"erp", 2}, {"wh", 0}}), run(3, {{"erp", 2}}),
                                        run(4, {{"wh", 0}})};
  EXPECT_THAT(placed(waiting, {{"a", 9, {}}}), ElementsAre("1 on a", "2 on a", "4 on a"));
  EXPECT_THAT(placed(waiting, {{"a", 9, {}}}, {{"erp", 1}}), ElementsAre("1 on a", "4 on a"));
  EXPECT_THAT(placed(waiting, {{"a", 9, {}}}, {{"erp", 5}, {"wh", 1000}}), ElementsAre("4 on a"));
}

TEST(Place, does_not_count_a_run_that_found_no_worker) {
  EXPECT_THAT(placed({run(1, {{"erp", 1}}, {"gone"}), run(2, {{"erp", 1}})}, {{"a", 9, {}}}), ElementsAre("2 on a"));
}

TEST(Placer, gives_a_run_that_updates_rows_to_no_worker_that_would_replace_them) {
  ModuleSnapshot module;
  module.merge_method = "update";
  auto updates = run(1);
  updates.needs.add_protocol_of(module);
  const std::vector<Vacancy> older = {{"old", 9, {}, {}, 2}};
  EXPECT_THAT(placed({updates}, older), IsEmpty());
  EXPECT_EQ(obstacle(updates.needs, older, {}), Obstacle{Obstacle::Kind::too_old});
  EXPECT_THAT(placed({updates}, {{"old", 9, {}, {}, 2}, {"new", 1, {}, {}, 3}}), ElementsAre("1 on new"));
  module.merge_method = "replace";
  auto replaces = run(2);
  replaces.needs.add_protocol_of(module);
  EXPECT_THAT(placed({replaces}, older), ElementsAre("2 on old"));
}

TEST(Obstacle, is_the_first_reason_that_matters) {
  using enum Obstacle::Kind;
  const auto met = [](const Waiting& waiting, const std::vector<Vacancy>& workers, const Sessions& sessions) {
    return obstacle(waiting.needs, workers, sessions);
  };
  EXPECT_EQ(met(run(1), {}, {}), Obstacle{no_worker});
  EXPECT_EQ(met(run(1, {{"erp", 1}}, {"x", "y"}, {"db2"}), {{"a", 9, {"x"}, {"db3"}}}, {{"erp", 1}}),
            Obstacle{no_tags});
  EXPECT_EQ(met(run(1, {{"erp", 1}}, {"x"}, {"pg", "db2"}), {{"a", 9, {"x"}, {"pg"}}}, {{"erp", 1}}),
            (Obstacle{no_driver, "db2"}));
  EXPECT_EQ(met(run(1, {{"wh", 0}, {"erp", 2}}), {{"a", 0, {}}}, {{"erp", 2}, {"wh", 7}}),
            (Obstacle{connection_full, "erp", 2}));
  EXPECT_EQ(met(run(1, {{"erp", 2}}, {"x"}), {{"a", 0, {"x"}}, {"b", 5, {}}}, {{"erp", 1}}), Obstacle{no_slot});
  EXPECT_EQ(met(run(1, {{"erp", 2}}), {{"a", 1, {}}}, {{"erp", 1}}), Obstacle{});
}

}  // namespace
}  // namespace pipekit
