#include "tests/simulation/plan.h"

namespace pipekit::simulation {
namespace {

using std::chrono::seconds;

Json connection(const std::string& name, int64_t max_sessions, bool fenced) {
  return {{"name", name},
          {"driver", "sqlite"},
          {"jdbc_url", "jdbc:sqlite:/" + name},
          {"max_sessions", max_sessions},
          {"fence", fenced ? "auto" : "none"}};
}

struct Size {
  int64_t workers;
  int64_t modules;
  int64_t minutes;
};

Size draw_size(Random& random) {
  const auto how = random.between(0, 99);
  if (how < 70) return {random.between(1, 4), random.between(2, 8), random.between(2, 5)};
  if (how < 95) return {random.between(3, 10), random.between(5, 16), random.between(2, 4)};
  return {random.between(10, 30), random.between(15, 40), 2};
}

void add_connections(Plan& plan, Random& random) {
  auto connections = Json::array();
  const auto add = [&](const std::string& name, int64_t max_sessions, bool fenced) {
    plan.servers.push_back(name);
    plan.sessions_of[name] = max_sessions;
    connections.push_back(connection(name, max_sessions, fenced));
  };
  add("source", random.chance(300) ? random.between(2, 6) : 0, true);
  const auto fenced = random.between(1, 4);
  for (int64_t i = 1; i <= fenced; ++i)
    add(fmt::format("wh{}", i), random.chance(300) ? random.between(1, 4) : 0, true);
  add("bare", 0, false);
  plan.document["connections"] = connections;
}

void add_modules(Plan& plan, Random& random, int64_t count) {
  const std::vector<std::string> strategies = {"full", "incremental", "append", "append"};
  auto modules = Json::array();
  for (int64_t i = 1; i <= count; ++i) {
    SimulatedModule module{fmt::format("m{}", i), random.pick(strategies), "bare", !random.chance(100)};
    if (module.fenced) {
      module.connection =
          plan.servers[static_cast<size_t>(random.between(1, static_cast<int64_t>(plan.servers.size()) - 2))];
    }
    Json definition = {{"name", module.name},
                       {"source_connection", "source"},
                       {"dest_connection", module.connection},
                       {"dest_table", module.name},
                       {"source_query", "SELECT id, v FROM items"},
                       {"merge_strategy", module.strategy},
                       {"retries", random.between(0, 3)},
                       {"retry_backoff_s", random.between(0, 10)},
                       {"priority", random.between(0, 2)}};
    if (module.strategy == "incremental") definition["merge_key"] = "id";
    if (random.chance(150)) definition["timeout_s"] = random.between(20, 120);
    if (random.chance(200)) {
      definition["source_query"] = "SELECT id, v FROM items WHERE id > {low}";
      definition["watermarks"] = {{{"name", "low"},
                                   {"connection", module.connection},
                                   {"resolver_sql", "SELECT max(id) FROM " + module.name},
                                   {"default_value", "0"}}};
    }
    if (random.chance(150)) {
      definition["hooks"] = {
          {{"run_order", 1}, {"connection", module.connection}, {"sql", "SELECT 1"}, {"run_on", "always"}}};
    }
    modules.push_back(definition);
    plan.modules.push_back(std::move(module));
  }
  plan.document["modules"] = modules;
}

void add_groups(Plan& plan, Random& random) {
  const std::vector<std::string> misfires = {"latest", "skip", "all"};
  auto groups = Json::array();
  const auto count = random.between(0, 3);
  for (int64_t i = 1; i <= count; ++i) {
    auto members = Json::array();
    for (const auto& module : plan.modules) {
      if (random.chance(300)) members.push_back(module.name);
    }
    plan.groups.push_back(fmt::format("g{}", i));
    groups.push_back({{"name", plan.groups.back()},
                      {"stop_on_failure", random.chance(300)},
                      {"members", members},
                      {"schedules",
                       {{{"kind", "interval"}, {"every_s", random.between(7, 90)}, {"misfire", random.pick(misfires)}},
                        {{"cron_expr", "* * * * *"}, {"misfire", random.pick(misfires)}}}}});
  }
  plan.document["groups"] = groups;
}

}  // namespace

Plan make_plan(Random& random) {
  Plan plan;
  const auto size = draw_size(random);
  plan.lease = seconds{random.between(15, 60)};
  plan.duration = seconds{size.minutes * 60};
  plan.badness = random.chance(100) ? 0 : random.between(50, 1000);
  plan.pause_ms = random.between(1000, 15'000);
  add_connections(plan, random);
  add_modules(plan, random, size.modules);
  add_groups(plan, random);
  for (int64_t i = 1; i <= size.workers; ++i) {
    plan.workers.push_back({fmt::format("w{}", i), random.between(1, 4), {}});
  }
  // Leases, a task that nobody answers, backoffs, waiting claims, and the queue before them.
  plan.bound = 4 * plan.lease + seconds{600} + seconds{60 * size.modules};
  return plan;
}

std::pair<std::string, Json> Plan::any_command(Random& random, int64_t number) const {
  const auto& module = random.pick(modules).name;
  const auto which = random.between(0, 99);
  if (which < 60) return {"run", {{"module", module}, {"dry_run", random.chance(50)}}};
  if (which < 70) return {"cancel", {{"module", module}}};
  if (which < 80 && !groups.empty()) return {"run_group", {{"group", random.pick(groups)}}};
  if (which < 83 && !groups.empty()) return {"cancel", {{"group", random.pick(groups)}}};
  if (which < 86) return {"module.disable", {{"name", module}}};
  if (which < 92) return {"module.enable", {{"name", module}}};
  if (which < 95 && !groups.empty()) {
    return {"schedule.add",
            {{"group", random.pick(groups)}, {"kind", "interval"}, {"every_s", random.between(10, 60)}}};
  }
  if (which < 97)
    return {random.chance(500) ? "workers.drain" : "workers.resume", {{"name", random.pick(workers).name}}};
  return {"connection.update", {{"name", "source"}, {"set", {{"notes", fmt::format("edit {}", number)}}}}};
}

}  // namespace pipekit::simulation
