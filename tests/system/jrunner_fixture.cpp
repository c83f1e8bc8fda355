#include "tests/system/jrunner_fixture.h"

#include <memory>
#include <stdexcept>

namespace pipekit::test {

SqliteFile::SqliteFile(const std::string& path) {
  if (sqlite3_open(path.c_str(), &handle_) != SQLITE_OK) throw std::runtime_error("cannot open " + path);
}

void SqliteFile::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return;
  throw std::runtime_error(std::string(sqlite3_errmsg(handle_)) + " in: " + sql);
}

std::string SqliteFile::value(const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &raw, nullptr) != SQLITE_OK) {
    throw std::runtime_error(std::string(sqlite3_errmsg(handle_)) + " in: " + sql);
  }
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement(raw, &sqlite3_finalize);
  if (sqlite3_step(raw) != SQLITE_ROW || sqlite3_column_type(raw, 0) == SQLITE_NULL) return "NULL";
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(raw, 0));
  return {text, static_cast<size_t>(sqlite3_column_bytes(raw, 0))};
}

Endpoint JrunnerTest::sqlite(const std::string& name, const std::string& sql) const {
  SqliteFile(sqlite_path(name)).execute(sql);
  return {"jdbc:sqlite:" + sqlite_path(name)};
}

Endpoint JrunnerTest::postgres() {
  postgres_session();
  return {PostgresCluster::shared().jdbc_url(database_), true};
}

PostgresSession& JrunnerTest::postgres_session() {
  if (!session_) {
    database_ = PostgresCluster::shared().create_database();
    session_.emplace(PostgresCluster::shared().conninfo(database_));
  }
  return *session_;
}

void JrunnerTest::add_login(const Endpoint& endpoint, const std::string& side, std::vector<std::string>& args) {
  args.insert(args.end(), {side + "cu", endpoint.url});
  if (endpoint.login) args.insert(args.end(), {side + "cn", "postgres", side + "cp", "env:TEST_PG_PASSWORD"});
}

std::vector<std::string> JrunnerTest::migration_args(const Endpoint& source, const std::string& query,
                                                     const Endpoint& destination, const std::string& table) {
  auto args = query_args(source, query);
  add_login(destination, "-d", args);
  args.insert(args.end(), {"-dt", table});
  return args;
}

std::vector<std::string> JrunnerTest::query_args(const Endpoint& source, const std::string& script,
                                                 const std::vector<std::string>& more) {
  std::vector<std::string> args;
  add_login(source, "-s", args);
  args.insert(args.end(), {"-sq", dir_.write("script" + std::to_string(++scripts_) + ".sql", script)});
  args.insert(args.end(), more.begin(), more.end());
  return args;
}

ProgramResult JrunnerTest::migrate(const Endpoint& source, const std::string& query, const Endpoint& destination,
                                   const std::string& table) {
  return run_program(program(), migration_args(source, query, destination, table), options());
}

ProgramResult JrunnerTest::query(const Endpoint& source, const std::string& script,
                                 const std::vector<std::string>& more) {
  return run_program(program(), query_args(source, script, more), options());
}

ProgramOptions JrunnerTest::options() { return {.env = {"TEST_PG_PASSWORD=s3cret pass"}}; }

}  // namespace pipekit::test
