// One SQLite connection and its statements: the only includers of sqlite3.h here. Opened without creating: a path that
// does not exist is an error, not an empty database. What a script may do is bounded: no extensions, no fts3_tokenizer,
// no ATTACH beyond what the URL allows, nothing that can damage the file's structure. Locks are waited for without
// limit, with one line on stderr; a requested cancellation ends the wait, and a statement that runs. One thread at a
// time. Errors: Failure with the engine's message, kUnavailable when there is no database to open; Interrupted.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "worker/jrunner/cancellation.h"
#include "worker/jrunner/jdbc_url.h"

namespace pipekit::jrunner {

class SqliteConnection;

class SqliteStatement {
 public:
  SqliteStatement(SqliteConnection& connection, sqlite3_stmt* statement);

  // True for a row, false at the end.
  bool step();
  void reset() { sqlite3_reset(statement_.get()); }
  [[nodiscard]] int columns() const { return sqlite3_column_count(statement_.get()); }
  [[nodiscard]] std::string_view column_name(int column) const;
  [[nodiscard]] int type(int column) const { return sqlite3_column_type(statement_.get(), column); }
  [[nodiscard]] int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  [[nodiscard]] double real(int column) const { return sqlite3_column_double(statement_.get(), column); }
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::string_view blob(int column) const;

  // Parameters count from 0. Text and blobs must stay where they are until the step.
  void bind_null(int parameter) { check(sqlite3_bind_null(statement_.get(), parameter + 1)); }
  void bind(int parameter, int64_t value) { check(sqlite3_bind_int64(statement_.get(), parameter + 1, value)); }
  void bind(int parameter, double value) { check(sqlite3_bind_double(statement_.get(), parameter + 1, value)); }
  void bind(int parameter, std::string_view text);
  void bind_blob(int parameter, std::string_view bytes);

 private:
  void check(int code);

  SqliteConnection* connection_;
  std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> statement_;
};

// read_only: statements that write are refused, and no file is left beside the database.
enum class SqliteAccess { read_write, read_only };

class SqliteConnection {
 public:
  SqliteConnection(const SqliteTarget& target, Cancellation& cancellation,
                   SqliteAccess access = SqliteAccess::read_write);
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // The first statement of the text, which a NUL must follow (literals, strings and their tails); `rest`, when asked
  // for, is what follows it. Nothing when there is only space.
  std::optional<SqliteStatement> prepare(std::string_view sql, std::string_view* rest = nullptr);
  // VACUUM attaches a database of its own: while the result lives, and `code` begins a VACUUM that writes into no other
  // file, it may.
  [[nodiscard]] std::shared_ptr<void> allow_vacuum(std::string_view code);
  // One statement, whose rows are not wanted.
  void execute(std::string_view sql);
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
  [[nodiscard]] bool read_only() const { return sqlite3_db_readonly(handle_.get(), "main") == 1; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[noreturn]] void fail(int code) const;

 private:
  static int on_busy(void* self, int attempts);
  static int on_progress(void* self);
  void refuse_writing(sqlite3_stmt* statement) const;

  std::string path_;
  Cancellation& cancellation_;
  SqliteAccess access_;
  int most_attached_;
  bool waiting_told_ = false;
  std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)> handle_;
};

// "t", "main.t", "\"odd name\"", "[odd name]" as an SQL identifier each; the schema is empty when not given.
struct SqliteTableName {
  std::string schema;
  std::string table;
};
SqliteTableName parse_sqlite_table(std::string_view text);
std::string quoted_identifier(std::string_view name);

}  // namespace pipekit::jrunner
