#include "tests/system/flow_fixture.h"

#include <sqlite3.h>

#include <algorithm>
#include <stdexcept>

namespace pipekit::test {
namespace {

class SqliteDatabase final : public UserDatabase {
 public:
  explicit SqliteDatabase(std::string file) : file_(std::move(file)) {
    if (sqlite3_open(file_.c_str(), &handle_) != SQLITE_OK) throw std::runtime_error("cannot open " + file_);
    sqlite3_busy_timeout(handle_, 30'000);
    execute("PRAGMA journal_mode=WAL");
  }
  ~SqliteDatabase() override { sqlite3_close_v2(handle_); }
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  [[nodiscard]] std::string definition(const std::string& name, const std::string& more) const override {
    return "  - {name: " + name + ", driver: sqlite, jdbc_url: \"jdbc:sqlite:" + file_ + "\"" + more + "}\n";
  }

  void execute(const std::string& sql) override { collect(sql, nullptr); }

  std::string rows(const std::string& sql) override {
    std::string text;
    collect(sql, &text);
    return text;
  }

  std::string staging_tables() override {
    return rows(
        "SELECT name FROM sqlite_schema WHERE name LIKE 'pipekit\\_staging\\_\\_%' ESCAPE '\\'"
        " AND name NOT IN ('pipekit_staging__fence', 'pipekit_staging__merged') AND type = 'table' ORDER BY 1");
  }

 private:
  static int add_row(void* into, int columns, char** values, char**) {
    if (into == nullptr) return 0;
    auto& text = *static_cast<std::string*>(into);
    if (!text.empty()) text += '\n';
    for (int c = 0; c < columns; ++c) text.append(c == 0 ? "" : "|").append(values[c] == nullptr ? "NULL" : values[c]);
    return 0;
  }

  void collect(const std::string& sql, std::string* into) {
    if (sqlite3_exec(handle_, sql.c_str(), add_row, into, nullptr) == SQLITE_OK) return;
    throw std::runtime_error(std::string(sqlite3_errmsg(handle_)) + " in: " + sql);
  }

  std::string file_;
  sqlite3* handle_ = nullptr;
};

class PostgresDatabase final : public UserDatabase {
 public:
  [[nodiscard]] std::string definition(const std::string& name, const std::string& more) const override {
    return "  - {name: " + name + ", driver: postgresql, jdbc_url: \"" + PostgresCluster::shared().jdbc_url(name_) +
           "\", username: postgres, password: $TEST_PG_PASSWORD" + more + "}\n";
  }

  void execute(const std::string& sql) override { session_.query(sql); }

  std::string rows(const std::string& sql) override {
    std::string text;
    for (const auto& row : session_.query(sql)) {
      if (!text.empty()) text += '\n';
      for (size_t c = 0; c < row.size(); ++c) text.append(c == 0 ? "" : "|").append(row[c].value_or("NULL"));
    }
    return text;
  }

  std::string staging_tables() override {
    return rows(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'pipekit_staging'"
        " AND tablename NOT IN ('pipekit_fence', 'pipekit_merged') ORDER BY 1");
  }

 private:
  std::string name_ = PostgresCluster::shared().create_database();
  PostgresSession session_{PostgresCluster::shared().conninfo(name_)};
};

}  // namespace

std::unique_ptr<UserDatabase> new_sqlite(const std::string& file) { return std::make_unique<SqliteDatabase>(file); }
std::unique_ptr<UserDatabase> new_postgres() { return std::make_unique<PostgresDatabase>(); }

FlowTest::FlowTest(const BrokerOptions& options)
    : system_(options), src_(new_sqlite(file("src.db"))), dst_(new_sqlite(file("dst.db"))) {}

RunningProgram& FlowTest::start_worker(WorkerOptions options, const std::string& name) {
  options.env.push_back("JRUNNER=" + program_path("pipekit-jrunner"));
  const auto password = [](const std::string& entry) { return entry.starts_with("TEST_PG_PASSWORD"); };
  if (std::ranges::none_of(options.env, password)) options.env.emplace_back("TEST_PG_PASSWORD=s3cret pass");
  return system_.start_worker(name, options);
}

Words FlowTest::ctl_args(const Words& args) const {
  Words words{"--data-dir", system_.data_dir()};
  words.insert(words.end(), args.begin(), args.end());
  return words;
}

ProgramResult FlowTest::ctl(const Words& args) const {
  return run_program(program_path("pipekit-ctl"), ctl_args(args));
}

Json FlowTest::json(Words args) const {
  args.insert(args.end(), {"-o", "json"});
  const auto result = ctl(args);
  if (result.exit_code != 0) throw std::runtime_error("pipekit-ctl " + args[0] + ": " + result.out + result.err);
  return Json::parse(result.out);
}

void FlowTest::apply(const std::string& modules, const std::string& more_connections) {
  const auto path = system_.dir().write("definitions.yaml", "connections:\n" + src_->definition("src") +
                                                                dst_->definition("dst") + more_connections + modules);
  const auto result = ctl({"apply", "-f", path});
  if (result.exit_code != 0) throw std::runtime_error("apply: " + result.err);
}

void FlowTest::wait_for_line(int64_t run, const std::string& text) {
  events().wait_for("a line with " + text, [&](const LoggedEvent& event) {
    return event.kind == "run.log" && event.run == run &&
           event.fields.value("line", "").find(text) != std::string::npos;
  });
}

std::string stand_in_runner(const LocalSystem& system, const std::string& body) {
  constexpr auto kProlog =
      "#!/bin/bash\n"
      "for word in \"$@\"; do [ \"$word\" = -dt ] && MIGRATION=1; done\n"
      "arguments=(\"$@\")\n"
      "real() { \"$JRUNNER\" \"${arguments[@]}\"; }\n";
  return system.write_script("runner.sh", kProlog + body + "\n");
}

std::string orders_module(const std::string& strategy, const Words& more, const std::string& name) {
  std::string text = "  - name: " + name + "\n    source_connection: src\n    dest_connection: dst\n";
  text += "    dest_table: orders\n    merge_strategy: " + strategy + "\n";
  bool query = false;
  for (const auto& line : more) {
    text += "    " + line + "\n";
    query = query || line.starts_with("source_query:");
  }
  if (!query) text += "    source_query: SELECT id, customer, total FROM orders\n";
  return text;
}

}  // namespace pipekit::test
