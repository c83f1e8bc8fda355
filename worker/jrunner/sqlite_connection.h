// One SQLite connection and its statements; other files use sqlite3.h only through it. It never creates a database: a
// missing file is an error. Scripts cannot load extensions, use fts3_tokenizer, attach more databases than the URL
// allows or damage the file's structure. It waits for locks without a limit and says so once on stderr; a requested
// cancellation ends the wait and a running statement. One thread at a time. Errors: Failure with the engine's message,
// kUnavailable if there is no database to open; Interrupted.
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

  // Parameters are numbered from 0. Text and blobs must stay valid until step().
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

// read_only: statements that write are refused, and no file remains beside the database.
enum class SqliteAccess { read_write, read_only };

class SqliteConnection {
 public:
  SqliteConnection(const SqliteTarget& target, Cancellation& cancellation,
                   SqliteAccess access = SqliteAccess::read_write);
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // Prepares the first statement of the text, which must be followed by a NUL (literals, strings and their tails).
  // `rest` receives the text after it. Nothing if there is only space.
  std::optional<SqliteStatement> prepare(std::string_view sql, std::string_view* rest = nullptr);
  // VACUUM attaches a database internally. If `code` begins with a VACUUM that writes to no other file, this is allowed
  // while the result exists.
  [[nodiscard]] std::shared_ptr<void> allow_vacuum(std::string_view code);
  // Runs one statement and ignores its rows.
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

// Parses "t", "main.t", "\"odd name\"" or "[odd name]"; the schema is empty if it is not given.
struct SqliteTableName {
  std::string schema;
  std::string table;
};
SqliteTableName parse_sqlite_table(std::string_view text);
std::string quoted_identifier(std::string_view name);

}  // namespace pipekit::jrunner
