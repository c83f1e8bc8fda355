#include "broker/store/database.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include "broker/store/own_store.h"
#include "shared/planted_fault.h"
#include "shared/unique_fd.h"

namespace pipekit::store {
namespace {

constexpr int kPatience = 5000;  // ms
// A checkpoint belongs to the turn whose commit it happens in: with 2000 pages (2 MB of WAL are 500) such a turn took
// 40 ms on a slow disk. More and smaller ones cost dispatch no more than its spread.
constexpr int kCheckpointFrames = 500;

[[noreturn]] void fail(sqlite3* db, std::string_view what) {
  const int code = sqlite3_extended_errcode(db);
  if (code == SQLITE_INTERRUPT) throw OverBudget();
  const auto text = fmt::format("store {}: {} ({})", sqlite3_db_filename(db, "main"), sqlite3_errmsg(db), what);
  if ((code & 0xff) == SQLITE_CONSTRAINT) throw ConstraintError(code, text);
  throw StoreError(code, text);
}

// SQLite would create it with the umask's mode; the store holds SQL that nobody else should read.
void create_private(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!fd)
    throw StoreError(SQLITE_CANTOPEN, fmt::format("cannot open the store {}: {}", file.string(), strerror(errno)));
}

// Before SQLite is first used: it then needs no lock for each allocation. Nobody asks for its statistics.
void keep_no_memory_statistics() {
  static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(once);  // refused where another library was earlier; then it is as it was
}

}  // namespace

Locked::Locked(const std::filesystem::path& file)
    : StoreError(SQLITE_BUSY, fmt::format("store {}: another process holds its write lock", file.string())) {}

std::string StoreError::hint() const {
  if (code_ == SQLITE_READONLY_DBMOVED)
    return "put the file back, together with its -wal file; or restore a backup, but first delete the -wal and -shm "
           "files: they "
           "belong to the lost file and would be written into the other one";
  switch (code_ & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
      return "check the disk, its free space first; accepted commands are kept, and the broker continues when it is "
             "started again";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "move the file away, together with its -wal and -shm files, and restore a backup";
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return "the broker's user must be able to read and write the file and its directory";
    default:
      return {};
  }
}

Rows::~Rows() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

bool Rows::next() {
  switch (sqlite3_step(statement_)) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      fail(db_, sqlite3_sql(statement_));
  }
}

int Rows::columns() const { return sqlite3_column_count(statement_); }
std::string Rows::name(int column) const { return sqlite3_column_name(statement_, column); }
bool Rows::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
int64_t Rows::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Rows::real(int column) const { return sqlite3_column_double(statement_, column); }

std::string Rows::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

Json Rows::json(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_NULL:
      return nullptr;
    case SQLITE_INTEGER:
      return integer(column);
    case SQLITE_FLOAT:
      return real(column);
    default:
      return text(column);
  }
}

void Database::Close::operator()(sqlite3* db) const { sqlite3_close(db); }
void Database::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::Database(const std::filesystem::path& file, Mode mode) : file_(file) {
  keep_no_memory_statistics();
  const bool writes = mode == Mode::read_write;
  if (writes) create_private(file);
  const int flags = (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX;
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &opened, flags, nullptr);
  db_.reset(opened);  // also of a failed open there is one to close
  if (code != SQLITE_OK) {
    throw StoreError(SQLITE_CANTOPEN,
                     fmt::format("cannot open the store {}: {}", file.string(), sqlite3_errmsg(opened)));
  }
  sqlite3_extended_result_codes(db_.get(), 1);
  sqlite3_busy_timeout(db_.get(), kPatience);  // a checkpoint or an operator's sqlite3 shell, never another broker
  if (writes) {
    // auto_vacuum only takes effect before the first table.
    execute_script("PRAGMA auto_vacuum=INCREMENTAL");
    // Before there is a journal: whoever looks at the file alone sees whose it is.
    if (value<int64_t>("PRAGMA schema_version").value_or(0) == 0) {
      execute_script(fmt::format("PRAGMA application_id={}", kApplicationId));
    }
    execute_script("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
    if (PLANTED("reply_before_commit")) execute_script("PRAGMA synchronous=OFF");
    execute_script("PRAGMA foreign_keys=ON; PRAGMA temp_store=MEMORY;");
    execute_script(fmt::format("PRAGMA journal_size_limit={}", kWalLimit));
    sqlite3_wal_hook(db_.get(), &Database::after_commit, this);
  } else {
    execute_script("PRAGMA query_only=ON; PRAGMA temp_store=MEMORY;");
  }
}

int Database::after_commit(void* self, sqlite3* db, const char* name, int frames) {
  static_cast<Database*>(self)->wal_frames_ = frames;
  // One that fails is tried again after the next commit.
  if (frames >= kCheckpointFrames) sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return SQLITE_OK;
}

bool Database::empty_wal(std::chrono::milliseconds patience) {
  sqlite3_busy_timeout(db_.get(), static_cast<int>(patience.count()));
  const int code = sqlite3_wal_checkpoint_v2(db_.get(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  sqlite3_busy_timeout(db_.get(), kPatience);
  if (code == SQLITE_OK) wal_frames_ = 0;
  return code == SQLITE_OK;
}

bool Database::try_begin() {
  sqlite3_busy_timeout(db_.get(), 0);
  const int code = sqlite3_step(prepared("BEGIN IMMEDIATE"));
  sqlite3_busy_timeout(db_.get(), kPatience);
  if (code != SQLITE_DONE && (code & 0xff) != SQLITE_BUSY) fail(db_.get(), "BEGIN IMMEDIATE");
  sqlite3_reset(prepared("BEGIN IMMEDIATE"));
  return code == SQLITE_DONE;
}

void Database::limit(const TimeBudget* budget) {
  constexpr int kInstructions = 10'000;  // some tenths of a millisecond
  const auto spent = [](void* given) { return static_cast<const TimeBudget*>(given)->spent() ? 1 : 0; };
  if (budget == nullptr) return sqlite3_progress_handler(db_.get(), 0, nullptr, nullptr);
  sqlite3_progress_handler(db_.get(), kInstructions, spent, const_cast<TimeBudget*>(budget));
}

void Database::execute_script(const std::string& sql) {
  if (sqlite3_exec(db_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail(db_.get(), sql.substr(0, 200));
}

sqlite3_stmt* Database::prepared(std::string_view sql) {
  if (const auto known = statements_.find(sql); known != statements_.end()) return known->second.get();
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_.get(), sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement,
                         nullptr) != SQLITE_OK) {
    fail(db_.get(), sql);
  }
  if (recorded_ != nullptr) recorded_->emplace(sql);
  texts_.push_back(std::make_unique<std::string>(sql));
  statements_.emplace(*texts_.back(), statement);
  return statement;
}

void Database::check_in_place() const {
  int moved = 0;
  sqlite3_file_control(db_.get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (moved == 0) return;
  throw StoreError(SQLITE_READONLY_DBMOVED,
                   fmt::format("the store {} was removed or replaced while this broker ran", file_.string()));
}

int64_t Database::changes() const { return sqlite3_changes64(db_.get()); }
int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(db_.get()); }

void Database::bind(sqlite3_stmt* s, int i, std::nullptr_t) {
  if (sqlite3_bind_null(s, i) != SQLITE_OK) fail(db_.get(), sqlite3_sql(s));
}
void Database::bind(sqlite3_stmt* s, int i, int64_t v) {
  if (sqlite3_bind_int64(s, i, v) != SQLITE_OK) fail(db_.get(), sqlite3_sql(s));
}
void Database::bind(sqlite3_stmt* s, int i, double v) {
  if (sqlite3_bind_double(s, i, v) != SQLITE_OK) fail(db_.get(), sqlite3_sql(s));
}
void Database::bind(sqlite3_stmt* s, int i, std::string_view v) {
  const char* bytes = v.data() == nullptr ? "" : v.data();
  if (sqlite3_bind_text64(s, i, bytes, v.size(), SQLITE_TRANSIENT, SQLITE_UTF8) != SQLITE_OK)
    fail(db_.get(), sqlite3_sql(s));
}
void Database::bind(sqlite3_stmt* s, int i, Blob v) {
  const char* bytes = v.bytes.data() == nullptr ? "" : v.bytes.data();
  if (sqlite3_bind_blob64(s, i, bytes, v.bytes.size(), SQLITE_TRANSIENT) != SQLITE_OK) fail(db_.get(), sqlite3_sql(s));
}

Savepoint::Savepoint(Database& db) : db_(db) { db_.run("SAVEPOINT frame"); }

Savepoint::~Savepoint() {
  if (!open_) return;
  try {
    db_.run("ROLLBACK TO frame");
    db_.run("RELEASE frame");
  } catch (const StoreError&) {
    // The statement that failed has been thrown already, or the commit will.
  }
}

void Savepoint::release() {
  db_.run("RELEASE frame");
  open_ = false;
}

}  // namespace pipekit::store
