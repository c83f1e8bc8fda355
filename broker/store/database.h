// One SQLite connection, its statements and savepoints. The only includer of sqlite3.h in the broker. One thread per
// Database. Whatever SQLite refuses is a StoreError (a fault: it ends in main), except a violated constraint, which is
// its own type because the answer to a race belongs in SQL.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "broker/time_budget.h"
#include "shared/protocol.h"

struct sqlite3;
struct sqlite3_stmt;

namespace pipekit::store {

class StoreError : public std::runtime_error {
 public:
  StoreError(int code, const std::string& what) : std::runtime_error(what), code_(code) {}
  [[nodiscard]] int code() const { return code_; }  // SQLite's extended result code
  [[nodiscard]] std::string hint() const;           // for the operator; may be empty

 private:
  int code_;
};

class ConstraintError : public StoreError {
  using StoreError::StoreError;
};

// Another process writes to the store.
class Locked : public StoreError {
 public:
  explicit Locked(const std::filesystem::path& file);
};

struct Blob {
  std::string_view bytes;
};

// A stepped statement. Resets it when destroyed; one Rows per statement text is alive at a time.
class Rows {
 public:
  Rows(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  Rows(Rows&& other) noexcept : db_(other.db_), statement_(std::exchange(other.statement_, nullptr)) {}
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  Rows& operator=(Rows&&) = delete;
  ~Rows();

  bool next();  // false at the end
  [[nodiscard]] int columns() const;
  [[nodiscard]] std::string name(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  // int64_t, bool, double, std::string (text or blob bytes), Id<...>, std::optional of these.
  template <class T>
  [[nodiscard]] T get(int column) const {
    if constexpr (requires { typename T::value_type; } && !std::is_same_v<T, std::string>) {
      if (is_null(column)) return std::nullopt;
      return get<typename T::value_type>(column);
    } else if constexpr (std::is_same_v<T, std::string>) {
      return text(column);
    } else if constexpr (std::is_same_v<T, bool>) {
      return integer(column) != 0;
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(integer(column));
    } else if constexpr (std::is_floating_point_v<T>) {
      return real(column);
    } else {
      return T{integer(column)};
    }
  }
  // The value as JSON: integer, float, string or null.
  [[nodiscard]] Json json(int column) const;

 private:
  [[nodiscard]] int64_t integer(int column) const;
  [[nodiscard]] double real(int column) const;
  [[nodiscard]] std::string text(int column) const;
  sqlite3* db_;
  sqlite3_stmt* statement_;
};

class Database {
 public:
  enum class Mode { read_write, read_only };

  // read_write creates the file (mode 0600) and sets WAL, synchronous=FULL, foreign keys. A read-only one never
  // checkpoints. Throws StoreError.
  Database(const std::filesystem::path& file, Mode mode);
  ~Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One statement with its parameters; statements are prepared once per text. Returns the number of rows changed.
  template <class... Args>
  int64_t run(std::string_view sql, const Args&... args) {
    auto rows = query(sql, args...);
    while (rows.next()) {
    }
    return changes();
  }

  template <class... Args>
  Rows query(std::string_view sql, const Args&... args) {
    auto* statement = prepared(sql);
    int index = 0;
    (bind(statement, ++index, args), ...);
    return {db_.get(), statement};
  }

  // First column of the first row; nullopt when there is no row or it is NULL.
  template <class T, class... Args>
  std::optional<T> value(std::string_view sql, const Args&... args) {
    auto rows = query(sql, args...);
    if (!rows.next()) return std::nullopt;
    return rows.template get<std::optional<T>>(0);
  }

  // BEGIN IMMEDIATE, without waiting. False: another process holds the write lock.
  bool try_begin();

  // What the write-ahead log holds. It is copied into the store by a checkpoint after a commit that makes it longer
  // than 2 MB, and starts from its beginning once no reader needs it; then the file is cut to kWalLimit.
  static constexpr int64_t kWalLimit = int64_t{16} << 20U;
  [[nodiscard]] int64_t wal_bytes() const { return wal_frames_ * kFrameBytes; }
  // Copies all of it and empties the file; not in a transaction. Waits for readers for up to `patience`. False: one
  // still reads, or the disk is full.
  bool empty_wal(std::chrono::milliseconds patience);
  // From now on a statement that outlasts the budget throws OverBudget; nullptr: no limit. The budget outlives it.
  void limit(const TimeBudget* budget);

  // Several statements, unprepared: migrations.
  void execute_script(const std::string& sql);

  // Throws StoreError when the file is no longer where it was opened: what is committed into it from there on is lost
  // with this process.
  void check_in_place() const;

  // Every statement that this process prepares from now on is added to `texts`; nullptr: no more. For the test that
  // looks at their plans; not for several threads.
  static void record_statements(std::set<std::string>* texts) { recorded_ = texts; }

  [[nodiscard]] int64_t last_insert_id() const;
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

 private:
  static constexpr int64_t kFrameBytes = 4096 + 24;
  static inline std::set<std::string>* recorded_ = nullptr;
  static int after_commit(void* self, sqlite3* db, const char* name, int frames);
  sqlite3_stmt* prepared(std::string_view sql);
  [[nodiscard]] int64_t changes() const;
  void bind(sqlite3_stmt* s, int i, std::nullptr_t);
  void bind(sqlite3_stmt* s, int i, int64_t v);
  void bind(sqlite3_stmt* s, int i, double v);
  void bind(sqlite3_stmt* s, int i, std::string_view v);
  void bind(sqlite3_stmt* s, int i, Blob v);
  void bind(sqlite3_stmt* s, int i, const std::string& v) { bind(s, i, std::string_view(v)); }
  void bind(sqlite3_stmt* s, int i, const char* v) { bind(s, i, std::string_view(v)); }
  template <class T>
  requires std::is_integral_v<T>
  void bind(sqlite3_stmt* s, int i, T v) { bind(s, i, static_cast<int64_t>(v)); }
  template <class Tag>
  void bind(sqlite3_stmt* s, int i, Id<Tag> v) {
    bind(s, i, v.value);
  }
  template <class T>
  void bind(sqlite3_stmt* s, int i, const std::optional<T>& v) {
    if (v) {
      bind(s, i, *v);
    } else {
      bind(s, i, nullptr);
    }
  }

  struct Close {
    void operator()(sqlite3* db) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3, Close> db_;  // before its statements, which go first
  std::filesystem::path file_;
  int64_t wal_frames_ = 0;  // since it began from its beginning
  // Keyed by the SQL text, most of them literals of this program.
  std::unordered_map<std::string_view, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;
  std::vector<std::unique_ptr<std::string>> texts_;  // own the keys
};

// Rolls back what was done since, unless released.
class Savepoint {
 public:
  explicit Savepoint(Database& db);
  ~Savepoint();
  Savepoint(const Savepoint&) = delete;
  Savepoint& operator=(const Savepoint&) = delete;
  void release();

 private:
  Database& db_;
  bool open_ = true;
};

}  // namespace pipekit::store
