#include "tests/fault/scenario.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <stdexcept>

#include "tests/support/process_file.h"

namespace pipekit::test {
namespace {

constexpr int kDeadlineMs = 20'000;
constexpr auto kFenceTables = "'pipekit_staging__fence', 'pipekit_staging__merged'";

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(const std::string& path) {
    if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK) throw std::runtime_error("cannot open " + path);
    sqlite3_busy_timeout(handle_, kDeadlineMs);
  }
  ~SqliteDatabase() override { sqlite3_close_v2(handle_); }
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  Rows rows(const std::string& sql) override {
    Rows rows;
    const auto add = [](void* into, int count, char** values, char**) {
      std::string row;
      for (int i = 0; i < count; ++i) row += (i == 0 ? "" : "|") + std::string(values[i] == nullptr ? "" : values[i]);
      static_cast<Rows*>(into)->push_back(std::move(row));
      return 0;
    };
    char* error = nullptr;
    if (sqlite3_exec(handle_, sql.c_str(), add, &rows, &error) != SQLITE_OK) {
      const std::string text = error == nullptr ? "?" : error;
      sqlite3_free(error);
      throw std::runtime_error(sql + ": " + text);
    }
    std::ranges::sort(rows);
    return rows;
  }

 private:
  sqlite3* handle_ = nullptr;
};

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(const std::string& conninfo) : session_(conninfo) {}

  Rows rows(const std::string& sql) override {
    Rows rows;
    for (const auto& values : session_.query(sql)) {
      std::string row;
      for (size_t i = 0; i < values.size(); ++i) row += (i == 0 ? "" : "|") + values[i].value_or("");
      rows.push_back(std::move(row));
    }
    std::ranges::sort(rows);
    return rows;
  }

 private:
  PostgresSession session_;
};

std::string command_line(const std::filesystem::path& process) {
  auto text = read_process_file(process / "cmdline");
  std::ranges::replace(text, '\0', ' ');
  return text;
}

}  // namespace

std::unique_ptr<Database> open_sqlite(const std::string& path) { return std::make_unique<SqliteDatabase>(path); }
std::unique_ptr<Database> open_postgres(const std::string& conninfo) {
  return std::make_unique<PostgresDatabase>(conninfo);
}

Scenario::Scenario(Engine engine, const BrokerOptions& options) : engine_(engine), system_(options) {
  source_ = open_sqlite(system_.file("source.db"));
  source_->execute("CREATE TABLE items (id integer, v text)");
  source_->execute(
      "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 40)"
      " INSERT INTO items SELECT i, 'new' FROM n");
  if (engine == Engine::sqlite) {
    destination_ = open_sqlite(system_.file("destination.db"));
  } else {
    auto& cluster = PostgresCluster::shared();
    database_ = cluster.create_database();
    destination_ = open_postgres(cluster.conninfo(database_));
  }
}

Json Scenario::destination_connection() const {
  if (engine_ == Engine::sqlite) {
    return {{"name", "destination"},
            {"driver", "sqlite"},
            {"jdbc_url", "jdbc:sqlite:" + system_.file("destination.db")},
            {"fence", fence_}};
  }
  const auto& cluster = PostgresCluster::shared();
  return {{"name", "destination"},
          {"driver", "postgresql"},
          {"jdbc_url", cluster.jdbc_url(database_)},
          {"username", cluster.user()},
          {"password", "$DESTINATION_PASSWORD"},
          {"fence", fence_}};
}

void Scenario::add_module(const std::string& name, const ModuleOptions& options) {
  destination_->execute(fmt::format("CREATE TABLE {} (id integer, v text)", name));
  destination_->execute(fmt::format("INSERT INTO {} VALUES (1, 'old'), (2, 'old'), (3, 'old')", name));
  modules_.push_back({name, options});
  apply();
}

void Scenario::apply() {
  auto modules = Json::array();
  for (const auto& [name, options] : modules_) {
    Json module = {{"name", name},
                   {"source_connection", options.source},
                   {"dest_connection", "destination"},
                   {"dest_table", name},
                   {"source_query", options.source_query},
                   {"merge_strategy", options.strategy},
                   {"retries", options.retries},
                   {"retry_backoff_s", 0}};
    if (options.strategy == "incremental") module["merge_key"] = "id";
    if (options.timeout_s > 0) module["timeout_s"] = options.timeout_s;
    if (options.source_query.find("{low}") != std::string::npos) {
      module["watermarks"] = {{{"name", "low"}, {"connection", "destination"}, {"resolver_sql", "SELECT 0"}}};
    }
    if (options.hook) {
      module["hooks"] = {{{"run_order", 1}, {"connection", "destination"}, {"sql", "SELECT 1"}}};
    }
    modules.push_back(std::move(module));
  }
  const Json source = {
      {"name", "source"}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:" + system_.file("source.db")}};
  system_.apply({{"connections", {source, destination_connection()}}, {"modules", modules}});
}

Rows Scenario::rows(const std::string& module) { return destination_->rows("SELECT id, v FROM " + module); }

Rows Scenario::after(const std::string& module, const Rows& before) {
  const auto found = std::ranges::find(modules_, module, &Module::name);
  Rows rows = source_->rows("SELECT id, v FROM items");
  const auto loaded = [&, ids = source_->rows("SELECT id FROM items")](const std::string& row) {
    return std::ranges::find(ids, row.substr(0, row.find('|'))) != ids.end();
  };
  for (const auto& row : before) {
    const bool stays =
        found->options.strategy == "append" || (found->options.strategy == "incremental" && !loaded(row));
    if (stays) rows.push_back(row);
  }
  std::ranges::sort(rows);
  return rows;
}

RunningProgram& Scenario::start_worker(const std::string& name, WorkerOptions options) {
  if (engine_ == Engine::postgresql) {
    options.env.push_back("DESTINATION_PASSWORD=" + PostgresCluster::shared().password());
  }
  return system_.start_worker(name, options);
}

Json Scenario::expect_truthful_end(int64_t run, const std::string& module, const Rows& before) {
  auto shown = system_.finished(run);
  const auto ends = system_.events().of_run(run, "run.finished");
  const auto code = ends.at(0).fields.value("error_code", "");
  const auto status = shown.at("status").get<std::string>();
  EXPECT_EQ(status, ends[0].fields.at("status")) << shown.dump();
  const auto now = rows(module);
  if (status == "success") {
    EXPECT_EQ(now, after(module, before)) << shown.dump();
  } else if (code == "outcome_unknown") {
    EXPECT_TRUE(now == before || now == after(module, before)) << shown.dump();
  } else {
    EXPECT_EQ(now, before) << shown.dump();
  }
  return shown;
}

void Scenario::expect_runs_again(const std::string& module) {
  const auto before = rows(module);
  const auto run = submit(module);
  const auto shown = expect_truthful_end(run, module, before);
  EXPECT_EQ(shown.at("status"), "success") << shown.dump();
  EXPECT_EQ(staging_tables(module), Rows{});
}

std::vector<std::string> Scenario::staging_tables(const std::string& module) {
  if (engine_ == Engine::sqlite) {
    return destination_->rows(
        fmt::format("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'pipekit_staging__{}%'"
                    " AND name NOT IN ({})",
                    module, kFenceTables));
  }
  return destination_->rows(fmt::format(
      "SELECT tablename FROM pg_tables WHERE schemaname = 'pipekit_staging' AND tablename LIKE '{}%'", module));
}

void Scenario::expect_sound_log() {
  system_.events().catch_up();
  EventLog again(system_.control_endpoint());
  again.catch_up();
  const auto& first = system_.events().seen();
  const auto& second = again.seen();
  const auto elided = [](const LoggedEvent& event) { return event.kind == "run.elided"; };
  if (std::ranges::none_of(second, elided)) {
    EXPECT_EQ(first.size(), second.size());
    for (size_t i = 0; i < std::min(first.size(), second.size()); ++i) {
      EXPECT_TRUE(first[i] == second[i]) << first[i].seq << " " << first[i].kind << " was shown, " << second[i].seq
                                         << " " << second[i].kind << " is kept";
    }
  }
  std::map<int64_t, int> ends;
  std::set<int64_t> runs;
  for (const auto& event : second) {
    if (event.run == 0) continue;
    runs.insert(event.run);
    if (event.kind == "run.finished") {
      ++ends[event.run];
    } else if (!elided(event)) {
      EXPECT_EQ(ends[event.run], 0) << event.kind << " of run " << event.run << " after its end";
    }
  }
  for (const auto run : runs) EXPECT_EQ(ends[run], 1) << "ends of run " << run;
}

std::vector<pid_t> Scenario::runner_pids() {
  std::vector<pid_t> pids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto name = entry.path().filename().string();
    pid_t pid = 0;
    std::from_chars(name.data(), name.data() + name.size(), pid);
    const auto words = pid > 0 ? command_line(entry.path()) : "";
    const bool runner = words.find("pipekit-jrunner ") != std::string::npos;
    if (runner && words.find(system_.dir().path().string()) != std::string::npos) pids.push_back(pid);
  }
  return pids;
}

GatedRunner::GatedRunner(const LocalSystem& system, const std::string& kind, const std::string& failpoint) {
  static int gates = 0;
  const auto base = system.file(fmt::format("gate{}", ++gates));
  const auto at = base + ".at";
  const auto go = base + ".go";
  for (const auto& fifo : {at, go}) {
    if (::mkfifo(fifo.c_str(), 0600) != 0) throw std::runtime_error("mkfifo " + fifo);
  }
  // Open on both sides, so that neither the test nor the script waits for the other.
  at_ = UniqueFd(::open(at.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  go_ = UniqueFd(::open(go.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  const auto pass = failpoint.empty() ? fmt::format("echo $$ > {}; read ignored < {}", at, go)
                                      : fmt::format("PIPEKIT_FAILPOINT={}; export PIPEKIT_FAILPOINT", failpoint);
  script_ = system.write_script(fmt::format("runner{}", gates),
                                fmt::format(R"(#!/bin/sh
previous=
sql=/dev/null
kind=
for word in "$@"; do
  [ "$previous" = -sq ] && sql=$word
  [ "$word" = -dt ] && kind=load
  previous=$word
done
if [ -z "$kind" ]; then
  if grep -q 'INSERT INTO pipekit_staging.*merged' "$sql"; then kind=merge
  elif grep -q 'closed = 1' "$sql"; then kind=close
  elif grep -q 'INSERT INTO pipekit_staging.*fence' "$sql"; then kind=claim
  fi
fi
if [ "$kind" = {0} ] && mkdir {1}.latch 2>/dev/null; then
  {2}
fi
exec {3} "$@"
)",
                                            kind, base, pass, program_path("pipekit-jrunner")));
}

WorkerOptions GatedRunner::options() const {
  WorkerOptions options;
  options.jrunner = script_;
  return options;
}

pid_t GatedRunner::wait_reached() {
  pollfd waiting{at_.get(), POLLIN, 0};
  if (::poll(&waiting, 1, kDeadlineMs) != 1) throw std::runtime_error("no runner came to the gate");
  std::array<char, 32> text{};
  const auto size = ::read(at_.get(), text.data(), text.size());
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + std::max<ssize_t>(size, 0), pid);
  return pid;
}

void GatedRunner::open() {
  if (::write(go_.get(), "go\n", 3) != 3) throw std::runtime_error("cannot open the gate");
}

void GatedRunner::wait_gone(pid_t pid) const {
  const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return;
  pollfd waiting{process.get(), POLLIN, 0};
  if (::poll(&waiting, 1, kDeadlineMs) != 1) throw std::runtime_error(fmt::format("runner {} goes on", pid));
}

}  // namespace pipekit::test
