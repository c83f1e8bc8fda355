// Shared by the tests of pipekit-jrunner: a directory, SQLite and PostgreSQL databases, and short ways to run the
// program in its two modes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/support/postgres_cluster.h"
#include "tests/support/run_program.h"
#include "tests/support/temp_dir.h"

namespace pipekit::test {

// Shadow memory does not belong to the program.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr long kMostRssKib = 1024L * 1024;
#else
inline constexpr long kMostRssKib = 48L * 1024;
#endif

// A file as SQLite itself sees it, independent of the program under test. Errors throw.
class SqliteFile {
 public:
  explicit SqliteFile(const std::string& path);
  ~SqliteFile() { sqlite3_close_v2(handle_); }
  SqliteFile(const SqliteFile&) = delete;
  SqliteFile& operator=(const SqliteFile&) = delete;

  void execute(const std::string& sql);
  // The only column of the first row, as text; "NULL" for NULL and for no row.
  std::string value(const std::string& sql);

 private:
  sqlite3* handle_ = nullptr;
};

// A database as the program gets it.
struct Endpoint {
  std::string url;
  bool login = false;
};

class JrunnerTest : public ::testing::Test {
 protected:
  std::string sqlite_path(const std::string& name) const { return dir_.file(name); }
  // Creates the file and runs these statements in it.
  Endpoint sqlite(const std::string& name, const std::string& sql = "VACUUM") const;
  Endpoint postgres();
  PostgresSession& postgres_session();

  std::vector<std::string> migration_args(const Endpoint& source, const std::string& query, const Endpoint& destination,
                                          const std::string& table);
  std::vector<std::string> query_args(const Endpoint& source, const std::string& script,
                                      const std::vector<std::string>& more = {});
  ProgramResult migrate(const Endpoint& source, const std::string& query, const Endpoint& destination,
                        const std::string& table);
  ProgramResult query(const Endpoint& source, const std::string& script, const std::vector<std::string>& more = {});
  static ProgramOptions options();
  static std::string program() { return program_path("pipekit-jrunner"); }

  TempDir dir_;

 private:
  void add_login(const Endpoint& endpoint, const std::string& side, std::vector<std::string>& args);

  std::string database_{};
  std::optional<PostgresSession> session_{};
  int scripts_ = 0;
};

}  // namespace pipekit::test
