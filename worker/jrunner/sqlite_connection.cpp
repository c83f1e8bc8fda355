#include "worker/jrunner/sqlite_connection.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

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
    const int why = errno;
    std::error_code failed;
    const auto where = std::filesystem::current_path(failed) / file;
    const auto named = file + (file.starts_with('/') ? "" : " (a relative path: " + where.string() + ")");
    if (why == ENOENT) {
      unavailable("no such file: " + named, file.starts_with('/')
                                                ? "create an empty database with: sqlite3 '" + file + "' VACUUM"
                                                : "a relative path begins at the worker's directory; write it in full");
    }
    unavailable("cannot open " + named + ": " + std::strerror(why));
  }
  if (S_ISDIR(status.st_mode)) unavailable("cannot open " + file + ": it is a directory");
}

// Bytes 18 and 19 of the header: 2 in WAL mode.
bool in_wal_mode(const std::string& file) {
  std::array<char, 20> header{};
  std::ifstream in(file, std::ios::binary);
  return in.read(header.data(), header.size()) && header[18] == 2;
}

bool may_write(const std::string& path) { return ::access(path.c_str(), W_OK) == 0; }

std::string directory_of(const std::string& file) {
  const auto parent = std::filesystem::path(file).parent_path();
  return parent.empty() ? "." : parent.string();
}

// Flags for a database that is only read. A reader of a database in WAL mode needs its -shm file and creates it if it
// is missing; only a user who may write to the database removes it again. Any other user would leave behind files that
// lock the database's owner out, so the open is refused. A -journal after a crash is rolled back if the user may do so.
int reading_flags(const SqliteTarget& target) {
  if (target.file.empty()) return SQLITE_OPEN_READWRITE;
  if (target.immutable) return SQLITE_OPEN_READONLY;
  const bool journal = ::access((target.file + "-journal").c_str(), F_OK) == 0;
  const bool wal = in_wal_mode(target.file);
  if (!wal && !journal) return SQLITE_OPEN_READONLY;
  const auto directory = directory_of(target.file);
  if (may_write(target.file) && may_write(directory)) return SQLITE_OPEN_READWRITE;
  if (wal && ::access((target.file + "-shm").c_str(), F_OK) != 0) {
    unavailable("cannot read " + target.file + ": it is in WAL mode, and this user may not write " +
                    (may_write(target.file) ? "the directory " + directory : "it") +
                    ", so that its -shm file cannot be made and removed",
                "let the worker's user write the database and its directory; or keep a writer connected; or, if nobody "
                "writes it meanwhile, use jdbc:sqlite:file:" +
                    target.file + "?immutable=1");
  }
  return SQLITE_OPEN_READONLY;
}

sqlite3* open(const SqliteTarget& target, SqliteAccess access) {
  if (!target.file.empty()) require_file(target.file);
  const int mode = access == SqliteAccess::read_only ? reading_flags(target) : SQLITE_OPEN_READWRITE;
  const int flags = mode | SQLITE_OPEN_NOMUTEX | (target.uri ? SQLITE_OPEN_URI : 0) |
                    (target.path == ":memory:" ? SQLITE_OPEN_MEMORY : 0);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(target.path.c_str(), &handle, flags, nullptr);
  if (code == SQLITE_OK) return handle;
  const std::string reason = handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle);
  sqlite3_close_v2(handle);
  unavailable("cannot open " + target.path + ": " + reason);
}

// Scripts come from operators, databases from anyone. LENGTH limits a value, SQL_LENGTH a statement.
void harden(sqlite3* handle, int most_attached) {
  for (const auto& [option, value] : {std::pair{SQLITE_DBCONFIG_DEFENSIVE, 1},
                                      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
                                      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
                                      {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0}}) {
    sqlite3_db_config(handle, option, value, nullptr);
  }
  for (const auto& [limit, value] : {std::pair{SQLITE_LIMIT_ATTACHED, most_attached},
                                     {SQLITE_LIMIT_LENGTH, 256 << 20},
                                     {SQLITE_LIMIT_SQL_LENGTH, 16 << 20},
                                     {SQLITE_LIMIT_VDBE_OP, 5'000'000},
                                     {SQLITE_LIMIT_WORKER_THREADS, 0}}) {
    sqlite3_limit(handle, limit, value);
  }
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

// The length is read after the text, which may first be converted to UTF-8.
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

SqliteConnection::SqliteConnection(const SqliteTarget& target, Cancellation& cancellation, SqliteAccess access)
    : path_(target.path),
      cancellation_(cancellation),
      access_(SqliteAccess::read_write),
      most_attached_(target.attach),
      handle_(open(target, access), &sqlite3_close_v2) {
  harden(handle_.get(), most_attached_);
  sqlite3_extended_result_codes(handle_.get(), 1);
  sqlite3_busy_handler(handle_.get(), &on_busy, this);
  sqlite3_progress_handler(handle_.get(), kOperationsBetweenChecks, &on_progress, this);
  for (const auto& [name, value] : target.pragmas) execute("PRAGMA " + name + "=" + value);
  if (access == SqliteAccess::read_only) execute("PRAGMA query_only=1");
  access_ = access;  // only now, so that the URL's pragmas can take effect
}

// SQLite's locks can only be tried again: the interval grows to a tenth of a second, and a cancellation ends the wait
// in between. Modules that share a file often wait briefly for each other; that is not reported.
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
  if (primary == SQLITE_NOTADB) unavailable(path_ + ": " + message);
  if (primary == SQLITE_CANTOPEN || code == SQLITE_READONLY_DIRECTORY || code == SQLITE_READONLY_CANTINIT ||
      code == SQLITE_READONLY_RECOVERY || code == SQLITE_READONLY_ROLLBACK) {
    unavailable(
        path_ + ": " + message,
        "SQLite makes files beside the database (-journal; in WAL mode -wal and -shm): the worker's user must be "
        "able to write its directory; a database that nobody writes can be read with file:PATH?immutable=1");
  }
  throw Failure({ErrorCode::kUnexpected, message,
                 primary == SQLITE_BUSY ? "begin a transaction that writes with BEGIN IMMEDIATE" : ""});
}

std::optional<SqliteStatement> SqliteConnection::prepare(std::string_view sql, std::string_view* rest) {
  sqlite3_stmt* statement = nullptr;
  const char* tail = nullptr;
  // Up to the NUL, not by size: with a size SQLite would copy the rest of the script for each statement.
  const int code = sqlite3_prepare_v2(handle_.get(), sql.data(), -1, &statement, &tail);
  if (code != SQLITE_OK) fail(code);
  if (rest != nullptr) *rest = sql.substr(static_cast<size_t>(tail - sql.data()));
  if (statement == nullptr) return std::nullopt;
  if (access_ == SqliteAccess::read_only) refuse_writing(statement);
  return SqliteStatement(*this, statement);
}

std::shared_ptr<void> SqliteConnection::allow_vacuum(std::string_view code) {
  std::string statement(code.substr(0, code.find(';')));
  for (char& c : statement) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  const bool plain = statement.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ_ \t\r\n") == std::string::npos;
  if (!plain || !statement.starts_with("VACUUM") || statement.find("INTO") != std::string::npos) return nullptr;
  sqlite3_limit(handle_.get(), SQLITE_LIMIT_ATTACHED, std::max(most_attached_, 1));
  return {handle_.get(), [this](sqlite3* handle) { sqlite3_limit(handle, SQLITE_LIMIT_ATTACHED, most_attached_); }};
}

// A PRAGMA can switch query_only off, because that only changes the session. A statement that would then write is still
// refused here.
void SqliteConnection::refuse_writing(sqlite3_stmt* statement) const {
  if (sqlite3_stmt_readonly(statement) != 0) return;
  sqlite3_finalize(statement);
  throw Failure({ErrorCode::kInvalid, "the statement would write, and this session is read-only",
                 "set read_only: false on the connection if its queries must write"});
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
