#include "tests/chaos/site.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <stdexcept>

#include "shared/key_file.h"
#include "shared/poller.h"
#include "tests/support/free_port.h"

namespace pipekit::test {
namespace {

constexpr int kEach = 4;  // modules per strategy and database
constexpr int kWorkers = 4;

BrokerOptions short_lease(int port, const std::string& key_file) {
  BrokerOptions options;
  options.lease_s = 3;
  options.args = {"--worker-endpoint", fmt::format("tcp://127.0.0.1:{}", port), "--key-file", key_file};
  return options;
}

// The time in which a kill can hit a merge that the server continues to execute.
constexpr auto kSlowInsert =
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$";

}  // namespace

ChaosSite::ChaosSite(uint32_t seed, std::string plant)
    : random_(seed),
      plant_(std::move(plant)),
      port_(free_port()),
      broker_key_(write_key("broker")),
      system_(short_lease(port_, key_file("broker"))) {
  source_ = open_sqlite(system_.file("source.db"));
  source_->execute("PRAGMA journal_mode=WAL");
  source_->execute("CREATE TABLE items (id integer PRIMARY KEY, v text)");
  source_->execute(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
      " INSERT INTO items SELECT i, 'first' FROM n");
  sqlite_ = open_sqlite(system_.file("destination.db"));
  auto& cluster = PostgresCluster::shared();
  database_ = cluster.create_database();
  postgres_ = open_postgres(cluster.conninfo(database_));
  postgres_->execute(kSlowInsert);
  define();
  for (int i = 1; i <= kWorkers; ++i) {
    const auto name = fmt::format("w{}", i);
    links_[name] = std::make_unique<TcpProxy>(port_);
    system_.client().ask("keys.allow", {{"name", name}, {"role", "worker"}, {"public_key", write_key(name)}});
    start_worker(name);
  }
}

std::string ChaosSite::write_key(const std::string& name) const {
  const auto pair = new_key_pair();
  if (const auto made = write_key_file(key_file(name), pair); !made) throw std::runtime_error(made.error().message);
  return pair.public_key;
}

void ChaosSite::define() {
  const auto& cluster = PostgresCluster::shared();
  const Json connections = {
      {{"name", "source"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:" + system_.file("source.db")}},
      {{"name", "sqlite"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:" + system_.file("destination.db")}},
      {{"name", "postgresql"},
       {"driver", "postgresql"},
       {"jdbc_url", cluster.jdbc_url(database_)},
       {"username", cluster.user()},
       {"password", "$DESTINATION_PASSWORD"}}};
  auto modules = Json::array();
  for (const auto engine : {Engine::sqlite, Engine::postgresql}) {
    for (const auto* strategy : {"full", "incremental", "append"}) {
      for (int i = 0; i < kEach; ++i) {
        const auto* dest = engine == Engine::sqlite ? "sqlite" : "postgresql";
        const ChaosModule module{fmt::format("{}_{}_{}", strategy, dest, i), strategy, engine};
        database(engine).execute(fmt::format("CREATE TABLE {} (id integer, v text)", module.name));
        if (engine == Engine::postgresql && i % 2 == 0) {
          postgres_->execute(fmt::format(
              "CREATE TRIGGER slow AFTER INSERT ON {} FOR EACH STATEMENT EXECUTE FUNCTION slow()", module.name));
        }
        Json definition = {{"name", module.name},
                           {"source_connection", "source"},
                           {"dest_connection", dest},
                           {"dest_table", module.name},
                           {"source_query", "SELECT id, v FROM items"},
                           {"merge_strategy", strategy},
                           {"retries", 2},
                           {"retry_backoff_s", 0}};
        if (module.strategy == "incremental") definition["merge_key"] = "id";
        modules.push_back(std::move(definition));
        modules_.push_back(module);
      }
    }
  }
  system_.apply({{"connections", connections}, {"modules", modules}});
}

void ChaosSite::start_worker(const std::string& name) {
  WorkerOptions options;
  options.wait_joined = false;
  options.args = {"--broker",     fmt::format("tcp://127.0.0.1:{}", link_of(name).port()),
                  "--key-file",   key_file(name),
                  "--broker-key", broker_key_};
  options.env = {"DESTINATION_PASSWORD=" + PostgresCluster::shared().password()};
  if (!plant_.empty()) options.env.push_back("PIPEKIT_PLANTED_FAULT=" + plant_);
  system_.start_worker(name, options);
}

void ChaosSite::pause(Millis time) { Poller().wait_until(clock_.now() + time, clock_); }

void ChaosSite::work() {
  go_on_when_due();
  const int what = up_to(20);
  if (what == 0) {
    source_->execute(fmt::format("INSERT INTO items SELECT max(id) + 1, 'more' FROM items"));
    source_->execute(fmt::format("UPDATE items SET v = 'changed {}' WHERE id = {}", runs_.size(), 1 + up_to(200)));
  } else if (what == 1 && !runs_.empty()) {
    system_.client().exchange(
        "cancel",
        {{"run_id",
          runs_[runs_.size() - 1 - static_cast<size_t>(up_to(static_cast<int>(std::min<size_t>(runs_.size(), 10))))]
              .id}});
  } else {
    const auto module = static_cast<size_t>(up_to(static_cast<int>(modules_.size())));
    const auto reply = system_.client().exchange("run", {{"module", modules_[module].name}});
    if (!reply.error) runs_.push_back({reply.body.at("run_id").get<int64_t>(), module});
  }
  pause(Millis{20 + up_to(60)});
}

std::string ChaosSite::hurt() {
  const auto name = any_worker();
  switch (up_to(11)) {
    case 0:
    case 1:
      system_.kill_worker(name);
      std::erase_if(stopped_, [&](const auto& stopped) { return stopped.worker == name; });
      start_worker(name);
      return "killed " + name;
    case 2: {
      const Millis time{500 + up_to(6000)};  // the lease is 3 s
      system_.worker(name).signal(SIGSTOP);
      stopped_.push_back({name, clock_.now() + time});
      return fmt::format("stopped {} for {} ms", name, time.count());
    }
    case 3:
      system_.kill_broker();
      system_.start_broker();
      return "killed the broker";
    case 4: {
      const Millis time{200 + up_to(4000)};
      system_.broker().signal(SIGSTOP);
      pause(time);
      system_.broker().signal(SIGCONT);
      return fmt::format("stopped the broker for {} ms", time.count());
    }
    case 5:
      return end_a_session();
    case 6:
    case 7: {
      const Millis time{300 + up_to(6000)};
      link_of(name).stall();
      cut_.push_back({name, clock_.now() + time});
      return fmt::format("cut the link of {} for {} ms", name, time.count());
    }
    case 8:
      return fmt::format("reset {} connections of {}", link_of(name).reset_all(), name);
    default:
      return kill_a_runner();
  }
}

std::string ChaosSite::kill_a_runner() {
  const auto runners = run_program("/usr/bin/pgrep", {"-f", "pipekit-jrunner.*" + system_.dir().path().string()}).out;
  std::vector<pid_t> pids;
  for (size_t at = 0; at < runners.size(); at = runners.find('\n', at) + 1)
    pids.push_back(std::stoi(runners.substr(at)));
  if (pids.empty()) return "found no runner to kill";
  const auto pid = pids[static_cast<size_t>(up_to(static_cast<int>(pids.size())))];
  ::kill(pid, SIGKILL);
  return "killed a runner";
}

std::string ChaosSite::end_a_session() {
  postgres_->execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
      " AND pid <> pg_backend_pid() AND application_name LIKE 'pipekit%' ORDER BY random() LIMIT 1");
  return "ended a session of the server";
}

void ChaosSite::go_on_when_due() {
  const auto now = clock_.now();
  std::erase_if(stopped_, [&](const auto& stopped) {
    if (stopped.until > now) return false;
    system_.worker(stopped.worker).signal(SIGCONT);
    return true;
  });
  std::erase_if(cut_, [&](const auto& cut) {
    const bool due = cut.until <= now;
    if (due) link_of(cut.worker).flow();
    return due;
  });
}

void ChaosSite::heal() {
  for (const auto& stopped : stopped_) system_.worker(stopped.worker).signal(SIGCONT);
  stopped_.clear();
  for (const auto& cut : cut_) link_of(cut.worker).flow();
  cut_.clear();
  // A worker that was suspended past its lease, or refused in the meantime, may have exited: restart them all.
  for (int i = 1; i <= kWorkers; ++i) {
    const auto name = fmt::format("w{}", i);
    system_.kill_worker(name);
    start_worker(name);
  }
}

std::vector<std::string> ChaosSite::verdict() {
  std::vector<std::string> wrong;
  for (const auto& module : modules_) {
    for (const auto& run : runs_) {
      if (modules_[run.module].name == module.name) system_.finished(run.id);
    }
    for (int tries = 0;; ++tries) {  // its lock is free
      const auto last = system_.client().run(module.name);
      runs_.push_back({last, static_cast<size_t>(&module - modules_.data())});
      if (system_.finished(last).at("status") == "success") break;
      if (tries == 2) {
        wrong.push_back(fmt::format("{}: three runs in peace have failed; the last is {}", module.name, last));
        break;
      }
    }
    expect_rows(module, wrong);
  }
  system_.events().catch_up();  // throws at a gap or a duplicate
  return wrong;
}

void ChaosSite::expect_rows(const ChaosModule& module, std::vector<std::string>& wrong) {
  const auto rows = database(module.engine).rows("SELECT id, v FROM " + module.name);
  if (module.strategy != "append") {
    if (rows != source_->rows("SELECT id, v FROM items")) {
      wrong.push_back(fmt::format("{}: {} rows, which are not those of the source", module.name, rows.size()));
    }
    return;
  }
  int64_t least = 0;
  int64_t most = 0;
  for (const auto& run : runs_) {
    if (modules_[run.module].name != module.name) continue;
    const auto shown = system_.client().ask("runs.show", {{"id", run.id}});
    const auto staged = shown.at("row_count").is_null() ? 0 : shown.at("row_count").get<int64_t>();
    const bool merged =
        std::ranges::any_of(shown.at("attempts"), [](const Json& a) { return a.at("outcome") == "merged"; });
    if (merged) least += staged;
    if (merged || shown.at("error_code") == "outcome_unknown") most += staged;
  }
  const auto count = static_cast<int64_t>(rows.size());
  if (count >= least && count <= most) return;
  wrong.push_back(fmt::format("{}: {} rows, its runs say that they have merged {}", module.name, count, least));
}

}  // namespace pipekit::test
