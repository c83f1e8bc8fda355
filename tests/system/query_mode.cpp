#include "tests/system/query_mode.h"

#include <libpq-fe.h>
#include <poll.h>
#include <sqlite3.h>

#include <stdexcept>
#include <utility>

#include "tests/support/postgres_cluster.h"
#include "tests/support/temp_dir.h"

namespace pipekit::test {
namespace {

using worker::Csv;

constexpr int kDeadlineMs = 30'000;

std::vector<std::string> statements_of(const std::string& script) {
  std::vector<std::string> statements;
  for (size_t at = 0; at < script.size();) {
    auto end = script.find(";\n", at);
    if (end == std::string::npos) end = script.size();
    statements.push_back(script.substr(at, end - at));
    at = end + 2;
  }
  return statements;
}

class SqliteQueryMode final : public QueryMode {
 public:
  explicit SqliteQueryMode(const std::string& file) {
    if (sqlite3_open(file.c_str(), &db_) != SQLITE_OK) throw std::runtime_error(sqlite3_errmsg(db_));
    sqlite3_busy_handler(
        db_, [](void* self, int) { return static_cast<SqliteQueryMode*>(self)->wait(); }, this);
  }
  ~SqliteQueryMode() override { sqlite3_close(db_); }
  SqliteQueryMode(const SqliteQueryMode&) = delete;
  SqliteQueryMode& operator=(const SqliteQueryMode&) = delete;

 protected:
  QueryAnswer statement(const std::string& sql) override {
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(db_, sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) return {sqlite3_errmsg(db_), {}};
    const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> owner(prepared, &sqlite3_finalize);
    QueryAnswer answer;
    for (int c = 0; c < sqlite3_column_count(prepared); ++c)
      answer.csv.header.emplace_back(sqlite3_column_name(prepared, c));
    int code = sqlite3_step(prepared);
    for (; code == SQLITE_ROW; code = sqlite3_step(prepared)) answer.csv.rows.push_back(row(prepared));
    if (code != SQLITE_DONE) answer.error = sqlite3_errmsg(db_);
    return answer;
  }

 private:
  static Csv::Row row(sqlite3_stmt* prepared) {
    Csv::Row cells;
    for (int c = 0; c < sqlite3_column_count(prepared); ++c) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(prepared, c));
      cells.push_back(text == nullptr ? Csv::Field{} : Csv::Field{text});
    }
    return cells;
  }

  // Tries again once, after the test has acted; otherwise, and the second time, the lock remains.
  int wait() {
    const bool first = !std::exchange(waited_, true);
    if (first) blocked();
    return first ? 1 : 0;
  }

  sqlite3* db_ = nullptr;
  bool waited_ = false;
};

// With these settings the server tells the client in a message when it waits.
constexpr auto kSayWhenWaiting = "-c log_lock_waits=on -c deadlock_timeout=1ms -c client_min_messages=log ";

class PostgresQueryMode final : public QueryMode {
 public:
  PostgresQueryMode(const std::string& conninfo, const std::string& options)
      : connection_(PQconnectdb((conninfo + " options='" + kSayWhenWaiting + options + "'").c_str()), &PQfinish) {
    if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error(PQerrorMessage(connection_.get()));
    PQsetNoticeReceiver(
        connection_.get(),
        [](void* self, const PGresult* notice) { static_cast<PostgresQueryMode*>(self)->notice(notice); }, this);
  }

 protected:
  QueryAnswer statement(const std::string& sql) override {
    if (PQsendQuery(connection_.get(), sql.c_str()) == 0) return {PQerrorMessage(connection_.get()), {}};
    QueryAnswer answer;
    while (const auto result = next_result()) read(result.get(), answer);
    return answer;
  }

 private:
  using ResultPtr = std::unique_ptr<PGresult, decltype(&PQclear)>;

  ResultPtr next_result() {
    while (PQisBusy(connection_.get()) != 0) {
      if (std::exchange(waiting_, false)) blocked();
      pollfd fd{PQsocket(connection_.get()), POLLIN, 0};
      if (::poll(&fd, 1, kDeadlineMs) <= 0) throw std::runtime_error("PostgreSQL did not answer in time");
      if (PQconsumeInput(connection_.get()) == 0) break;
    }
    return {PQgetResult(connection_.get()), &PQclear};
  }

  void notice(const PGresult* result) {
    const std::string_view message = PQresultErrorMessage(result);
    if (message.find("still waiting for") != std::string_view::npos) waiting_ = true;
  }

  static void read(const PGresult* result, QueryAnswer& answer) {
    const auto status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) answer.error += PQresultErrorMessage(result);
    for (int c = 0; c < PQnfields(result); ++c) answer.csv.header.emplace_back(PQfname(result, c));
    for (int r = 0; r < PQntuples(result); ++r) {
      auto& cells = answer.csv.rows.emplace_back();
      for (int c = 0; c < PQnfields(result); ++c) {
        cells.push_back(PQgetisnull(result, r, c) != 0 ? Csv::Field{} : Csv::Field{PQgetvalue(result, r, c)});
      }
    }
  }

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  bool waiting_ = false;
};

class SqliteDatabase final : public TestDatabase {
 public:
  [[nodiscard]] const worker::Dialect& dialect() const override { return *worker::dialect_for("jdbc:sqlite:x"); }
  std::unique_ptr<QueryMode> connect() override { return std::make_unique<SqliteQueryMode>(directory_.file("wh.db")); }

 private:
  TempDir directory_;
};

class PostgresDatabase final : public TestDatabase {
 public:
  explicit PostgresDatabase(std::string options) : options_(std::move(options)) {}
  [[nodiscard]] const worker::Dialect& dialect() const override { return *worker::dialect_for("jdbc:postgresql:x"); }
  std::unique_ptr<QueryMode> connect() override {
    return std::make_unique<PostgresQueryMode>(PostgresCluster::shared().conninfo(name_), options_);
  }

 private:
  std::string name_ = PostgresCluster::shared().create_database();
  std::string options_;
};

}  // namespace

QueryAnswer QueryMode::run(const std::string& script, std::function<void()> when_blocked) {
  when_blocked_ = std::move(when_blocked);
  auto answer = run_all(statements_of(script));
  if (std::exchange(when_blocked_, {})) throw std::logic_error("this never waited for a lock: " + script);
  return answer;
}

QueryAnswer QueryMode::run_until_commit(const std::string& script) {
  auto statements = statements_of(script);
  auto commit = statements.begin();
  while (commit != statements.end() && *commit != "COMMIT") ++commit;
  remaining_.assign(commit, statements.end());
  statements.erase(commit, statements.end());
  return run_all(statements);
}

QueryAnswer QueryMode::rest() { return run_all(std::exchange(remaining_, {})); }

void QueryMode::blocked() {
  if (const auto act = std::exchange(when_blocked_, {})) act();
}

QueryAnswer QueryMode::run_all(const std::vector<std::string>& statements) {
  QueryAnswer answer;
  for (const auto& sql : statements) {
    answer = statement(sql);
    if (!answer.ok()) break;
  }
  return answer;
}

std::unique_ptr<TestDatabase> new_sqlite_database() { return std::make_unique<SqliteDatabase>(); }
std::unique_ptr<TestDatabase> new_postgres_database(const std::string& options) {
  return std::make_unique<PostgresDatabase>(options);
}

std::string text_of(const QueryAnswer& answer) {
  if (!answer.ok()) return "error: " + answer.error;
  std::string text;
  for (const auto& row : answer.csv.rows) {
    if (!text.empty()) text += '\n';
    for (size_t c = 0; c < row.size(); ++c) text += (c == 0 ? "" : "|") + row[c].value_or("NULL");
  }
  return text;
}

}  // namespace pipekit::test
