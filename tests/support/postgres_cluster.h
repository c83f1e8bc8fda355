// The test's own PostgreSQL server in a temporary directory: a unix socket without a password, and a free port of
// 127.0.0.1 with one. Started on first use, one per test process, stopped by its pid when the process ends (or dies).
// Not durable unless requested: fsync is off. Errors are std::runtime_error with the server's message. One thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temp_dir.h"

struct pg_conn;

namespace pipekit::test {

class PostgresServerProcess;

// A session over the unix socket, as the superuser.
class PostgresSession {
 public:
  using Row = std::vector<std::optional<std::string>>;

  explicit PostgresSession(const std::string& conninfo);
  ~PostgresSession();
  PostgresSession(const PostgresSession&) = delete;
  PostgresSession& operator=(const PostgresSession&) = delete;

  // Executes one or more statements; returns the rows of the last one.
  std::vector<Row> query(const std::string& sql);
  // The only column of the only row; throws if there are more or none. NULL is "".
  std::string value(const std::string& sql);
  [[nodiscard]] int backend_pid() const;
  // Returns once a session with this application_name waits for a lock. The server does the waiting.
  void wait_for_lock_waiter(const std::string& application_name);

 private:
  pg_conn* connection_;
};

struct PostgresOptions {
  bool durable = false;            // fsync on, and memory settings as in production, for measurements
  std::filesystem::path parent{};  // where its directory is created; if empty, in memory if there is room
};

class PostgresCluster {
 public:
  static PostgresCluster& shared();

  explicit PostgresCluster(const PostgresOptions& options = {});
  ~PostgresCluster();
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string socket_dir() const { return directory_.path(); }
  [[nodiscard]] std::string user() const { return "postgres"; }
  [[nodiscard]] std::string password() const { return "s3cret pass"; }
  [[nodiscard]] std::string conninfo(const std::string& database = "postgres") const;
  // Over TCP; needs user() and password().
  [[nodiscard]] std::string jdbc_url(const std::string& database = "postgres") const;
  // Creates a new, empty database with a unique name.
  std::string create_database();
  [[nodiscard]] std::string log() const { return read_file(directory_.file("log")); }

 private:
  void init_database_files();
  void start();

  PostgresOptions options_;
  TempDir directory_;
  int port_ = 0;
  int databases_ = 0;
  std::unique_ptr<PostgresServerProcess> server_;
};

}  // namespace pipekit::test
