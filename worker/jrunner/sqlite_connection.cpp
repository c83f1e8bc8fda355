#include "worker/jrunner/sqlite_connection.h"

#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "shared/say.h"
#include "worker/jrunner/failure.h"

namespace pipekit::jrunner {
namespace {

constexpr int kOperationsBetweenChecks = 20'000;  // of SQLite's virtual machine; well under a millisecond

[[noreturn]] void unavailable(const std::string& message, const std::string& hint = "") {
  throw Failure({ErrorCode::kUnavailable, message, hint});
}

void require_file(const std::string& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) {
    if (errno == ENOENT) {
      unavailable("no such file: " + file, "a new, empty database is made with: sqlite3 '" + file + "' VACUUM");
    }
    unavailable("cannot open " + file + ": " + std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) unavailable("cannot open " + file + ": it is a directory");
}

sqlite3* open(const SqliteTarget& target) {
  if (!target.file.empty()) require_file(target.file);
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (target.uri ? SQLITE_OPEN_URI : 0) |
                    (target.path == ":memory:" ? SQLITE_OPEN_MEMORY : 0);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(target.path.c_str(), &handle, flags, nullptr);
  if (code == SQLITE_OK) return handle;
  const std::string reason = handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle);
  sqlite3_close_v2(handle);
  unavailable("cannot open " + target.path + ": " + reason);
}

}  // namespace

SqliteStatement::SqliteStatement(SqliteConnection& connection, sqlite3_stmt* statement)
    : connection_(&connection), statement_(statement, &sqlite3_finalize) {}

void SqliteStatement::check(int code) {
  if (code != SQLITE_OK) connection_->fail(code);
}

bool SqliteStatement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) connection_->fail(code);
  return false;
}

std::string_view SqliteStatement::column_name(int column) const {
  const char* name = sqlite3_column_name(statement_.get(), column);
  return name == nullptr ? std::string_view{} : name;
}

// The length is asked for after the text, which may have to be converted to UTF-8 first.
std::string_view SqliteStatement::text(int column) const {
  const auto* data = sqlite3_column_text(statement_.get(), column);
  const auto size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string_view("")
                         : std::string_view(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
}

std::string_view SqliteStatement::blob(int column) const {
  const auto* data = sqlite3_column_blob(statement_.get(), column);
  const auto size = sqlite3_column_bytes(statement_.get(), column);
  return data == nullptr ? std::string_view("")
                         : std::string_view(static_cast<const char*>(data), static_cast<size_t>(size));
}

void SqliteStatement::bind(int parameter, std::string_view text) {
  check(sqlite3_bind_text64(statement_.get(), parameter + 1, text.data() == nullptr ? "" : text.data(), text.size(),
                            SQLITE_STATIC, SQLITE_UTF8));
}

// A null pointer would bind NULL, and an empty blob is not that.
void SqliteStatement::bind_blob(int parameter, std::string_view bytes) {
  check(sqlite3_bind_blob64(statement_.get(), parameter + 1, bytes.data() == nullptr ? "" : bytes.data(), bytes.size(),
                            SQLITE_STATIC));
}

SqliteConnection::SqliteConnection(const SqliteTarget& target, Cancellation& cancellation)
    : path_(target.path), cancellation_(cancellation), handle_(open(target), &sqlite3_close_v2) {
  sqlite3_extended_result_codes(handle_.get(), 1);
  sqlite3_busy_handler(handle_.get(), &on_busy, this);
  sqlite3_progress_handler(handle_.get(), kOperationsBetweenChecks, &on_progress, this);
  for (const auto& [name, value] : target.pragmas) execute("PRAGMA " + name + "=" + value);
}

// SQLite's locks cannot be waited for, only tried again: the interval grows to a tenth of a second, and the wait in
// between is for the cancellation. Modules that share a file wait for one another for moments; that is no news.
int SqliteConnection::on_busy(void* self, int attempts) {
  constexpr std::array kIntervalsMs{1, 2, 5, 10, 20, 50, 100};
  constexpr int kAttemptsInASecond = 15;
  auto& connection = *static_cast<SqliteConnection*>(self);
  if (attempts >= kAttemptsInASecond && !connection.waiting_told_) {
    say("waiting for a lock on " + connection.path_ + "\n");
    connection.waiting_told_ = true;
  }
  const auto step = std::min(static_cast<size_t>(attempts), kIntervalsMs.size() - 1);
  pollfd cancelled{connection.cancellation_.fd(), POLLIN, 0};
  ::poll(&cancelled, 1, kIntervalsMs[step]);
  return connection.cancellation_.requested() ? 0 : 1;
}

int SqliteConnection::on_progress(void* self) {
  return static_cast<SqliteConnection*>(self)->cancellation_.requested() ? 1 : 0;
}

void SqliteConnection::fail(int code) const {
  const int primary = code & 0xFF;
  if (primary == SQLITE_INTERRUPT || primary == SQLITE_BUSY) cancellation_.throw_if_requested();
  const std::string message = sqlite3_errmsg(handle_.get());
  if (primary == SQLITE_NOTADB || primary == SQLITE_CANTOPEN) unavailable(path_ + ": " + message);
  throw Failure({ErrorCode::kUnexpected, message,
                 primary == SQLITE_BUSY ? "a transaction that will write begins with BEGIN IMMEDIATE" : ""});
}

std::optional<SqliteStatement> SqliteConnection::prepare(std::string_view sql, std::string_view* rest) {
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  // Up to the NUL, not by size: with a size SQLite copies all the rest of a script for every statement of it.
  const int code = sqlite3_prepare_v2(handle_.get(), sql.data(), -1, &statement, &tail);
  if (code != SQLITE_OK) fail(code);
  if (rest != nullptr) *rest = sql.substr(static_cast<size_t>(tail - sql.data()));
  if (statement == nullptr) return std::nullopt;
  return SqliteStatement(*this, statement);
}

void SqliteConnection::execute(std::string_view sql) {
  auto statement = prepare(sql);
  while (statement && statement->step()) {
  }
}

std::string quoted_identifier(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

SqliteTableName parse_sqlite_table(std::string_view text) {
  std::array<std::string, 2> parts;
  size_t part = 0;
  char closing = '\0';
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (closing != '\0') {
      const bool doubled = c == closing && closing != ']' && i + 1 < text.size() && text[i + 1] == closing;
      if (c == closing && !doubled) {
        closing = '\0';
      } else {
        parts[part] += c;
        if (doubled) ++i;
      }
    } else if (parts[part].empty() && (c == '"' || c == '`' || c == '[')) {
      closing = c == '[' ? ']' : c;
    } else if (c == '.' && part == 0) {
      part = 1;
    } else {
      parts[part] += c;
    }
  }
  return part == 0 ? SqliteTableName{"", parts[0]} : SqliteTableName{parts[0], parts[1]};
}

}  // namespace pipekit::jrunner
