#include "broker/store/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "broker/store/lock_holder.h"
#include "tests/support/temp_dir.h"

namespace pipekit::store {
namespace {

using testing::HasSubstr;

class DatabaseTest : public testing::Test {
 protected:
  DatabaseTest() {
    db.execute_script("PRAGMA synchronous=OFF; CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT UNIQUE) STRICT");
  }
  int64_t rows() { return db.value<int64_t>("SELECT count(*) FROM t").value_or(-1); }
  void add(const char* x) { db.run("INSERT INTO t (x) VALUES (?)", x); }

  test::TempDir dir{test::memory_directory()};
  Database db{dir.file("store.db"), Database::Mode::read_write};
};

TEST_F(DatabaseTest, belongs_to_its_user_alone_and_survives_a_power_cut) {
  struct stat info {};
  ASSERT_EQ(::stat(db.file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(db.value<std::string>("PRAGMA journal_mode"), "wal");
  EXPECT_EQ(db.value<int64_t>("PRAGMA auto_vacuum"), 2);
  EXPECT_EQ(db.value<int64_t>("PRAGMA foreign_keys"), 1);
  Database fresh(dir.file("fresh.db"), Database::Mode::read_write);
  EXPECT_EQ(fresh.value<int64_t>("PRAGMA synchronous"), 2) << "FULL";
}

TEST_F(DatabaseTest, gives_back_what_was_bound) {
  const std::string bytes("a\0\xff", 3);
  auto row = db.query("SELECT ?, ?, ?, ?, ?, ?, ?", int64_t{INT64_MIN}, 0.5, "text", Blob{bytes}, nullptr,
                      std::optional<int64_t>(), Epoch{9});
  ASSERT_TRUE(row.next());
  EXPECT_EQ(row.get<int64_t>(0), INT64_MIN);
  EXPECT_EQ(row.get<double>(1), 0.5);
  EXPECT_EQ(row.get<std::string>(2), "text");
  EXPECT_EQ(row.get<std::string>(3), bytes);
  EXPECT_TRUE(row.is_null(4));
  EXPECT_EQ(row.get<std::optional<std::string>>(5), std::nullopt);
  EXPECT_EQ(row.get<Epoch>(6), Epoch{9});
  EXPECT_EQ(row.json(1), 0.5);
  EXPECT_EQ(row.json(4), nullptr);
  EXPECT_FALSE(row.next());
}

TEST_F(DatabaseTest, keeps_empty_text_apart_from_null) {
  EXPECT_EQ(db.value<std::string>("SELECT ?", std::string_view()), "");
  EXPECT_EQ(db.value<std::string>("SELECT ?", Blob{}), "");
  EXPECT_EQ(db.value<std::string>("SELECT NULL"), std::nullopt);
  EXPECT_EQ(db.value<std::string>("SELECT x FROM t"), std::nullopt) << "no row";
}

TEST_F(DatabaseTest, forgets_the_parameters_of_the_last_time) {
  constexpr auto kSql = "INSERT INTO t (x) VALUES (?)";
  db.run(kSql, "a");
  db.run(kSql);
  EXPECT_EQ(db.value<int64_t>("SELECT count(*) FROM t WHERE x IS NULL"), 1);
}

TEST_F(DatabaseTest, counts_what_was_changed) {
  add("a");
  add("b");
  EXPECT_EQ(db.run("UPDATE t SET x = x || '!'"), 2);
  EXPECT_EQ(db.run("UPDATE t SET x = 'c' WHERE id = 99"), 0);
  EXPECT_EQ(db.last_insert_id(), 2);
}

TEST_F(DatabaseTest, tells_a_violated_constraint_from_everything_else) {
  add("a");
  EXPECT_THROW(add("a"), ConstraintError);
  EXPECT_THROW(db.run("INSERT INTO t (x) VALUES (x'ff')"), ConstraintError) << "STRICT";
  try {
    db.run("SELECT x FROM nowhere");
    FAIL();
  } catch (const ConstraintError&) {
    FAIL();
  } catch (const StoreError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no such table: nowhere"));
    EXPECT_THAT(error.what(), HasSubstr("store.db"));
    EXPECT_NE(error.code(), 0);
  }
  EXPECT_THROW(db.query("SELECT 1", 5), StoreError) << "a parameter too many";
  EXPECT_THROW(db.execute_script("CREATE TABLE broken"), StoreError);
  add("b");  // and it continues
  EXPECT_EQ(rows(), 2);
}

TEST_F(DatabaseTest, does_not_let_a_reader_write) {
  add("a");
  Database reader(db.file(), Database::Mode::read_only);
  EXPECT_EQ(reader.value<int64_t>("SELECT count(*) FROM t"), 1);
  EXPECT_THROW(reader.run("INSERT INTO t (x) VALUES ('b')"), StoreError);
  EXPECT_THROW(reader.run("PRAGMA user_version = 5"), StoreError);
  db.run("BEGIN IMMEDIATE");
  add("c");
  EXPECT_EQ(reader.value<int64_t>("SELECT count(*) FROM t"), 1) << "sees what is committed";
  db.run("COMMIT");
  EXPECT_EQ(reader.value<int64_t>("SELECT count(*) FROM t"), 2);
}

TEST_F(DatabaseTest, says_which_file_cannot_be_opened) {
  const auto missing = dir.file("no/such/dir.db");
  for (const auto mode : {Database::Mode::read_write, Database::Mode::read_only}) {
    try {
      Database broken(missing, mode);
      FAIL();
    } catch (const StoreError& error) {
      EXPECT_THAT(error.what(), HasSubstr(missing));
    }
  }
}

TEST_F(DatabaseTest, that_is_none_is_told_with_what_to_do_and_let_go_of) {
  const auto text = dir.write("text.db", std::string(5000, 'x'));
  const auto open_files = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}); };
  const auto before = open_files();
  try {
    Database broken(text, Database::Mode::read_write);
    FAIL();
  } catch (const StoreError& error) {
    EXPECT_THAT(error.what(), HasSubstr("file is not a database"));
    EXPECT_THAT(error.hint(), HasSubstr("restore a backup"));
  }
  EXPECT_EQ(open_files(), before);
  EXPECT_EQ(test::read_file(text), std::string(5000, 'x'));
}

TEST_F(DatabaseTest, that_was_removed_or_replaced_under_it_is_noticed) {
  EXPECT_NO_THROW(db.check_in_place());
  const auto aside = dir.file("aside.db");
  std::filesystem::rename(db.file(), aside);
  EXPECT_THROW(db.check_in_place(), StoreError);
  dir.write("store.db", "another");
  EXPECT_THROW(db.check_in_place(), StoreError);
  std::filesystem::rename(aside, db.file());
  EXPECT_NO_THROW(db.check_in_place());
  std::filesystem::remove(db.file());
  try {
    db.check_in_place();
    FAIL();
  } catch (const StoreError& error) {
    EXPECT_THAT(error.what(), HasSubstr("store.db was removed or replaced"));
    EXPECT_THAT(error.hint(), HasSubstr("put the file back"));
  }
}

TEST_F(DatabaseTest, nests_savepoints_in_a_transaction) {
  db.run("BEGIN IMMEDIATE");
  add("kept");
  {
    Savepoint refused(db);
    add("gone");
    {
      Savepoint inner(db);
      add("gone with the outer one");
      inner.release();
    }
  }
  {
    Savepoint accepted(db);
    add("kept too");
    {
      Savepoint inner(db);
      add("gone alone");
    }
    accepted.release();
  }
  db.run("COMMIT");
  EXPECT_EQ(rows(), 2);
  EXPECT_EQ(db.value<int64_t>("SELECT count(*) FROM t WHERE x LIKE 'kept%'"), 2);
}

TEST_F(DatabaseTest, rolls_a_savepoint_back_after_a_violated_constraint) {
  db.run("BEGIN IMMEDIATE");
  try {
    Savepoint refused(db);
    add("a");
    add("a");
    FAIL();
  } catch (const ConstraintError&) {
  }
  add("a");
  db.run("COMMIT");
  EXPECT_EQ(rows(), 1);
}

// What somebody's sqlite3 shell does.
class Stranger {
 public:
  explicit Stranger(const std::filesystem::path& file) : db_(file, Database::Mode::read_write) {}
  void begin(const char* how) { db_.execute_script(how); }
  void read() { db_.value<int64_t>("SELECT count(*) FROM t"); }
  void end() { db_.execute_script("ROLLBACK"); }

 private:
  Database db_;
};

TEST_F(DatabaseTest, that_another_process_writes_to_is_told_from_a_broken_one_and_at_once) {
  Stranger stranger(db.file());
  stranger.begin("BEGIN IMMEDIATE");
  EXPECT_FALSE(db.try_begin());
  EXPECT_FALSE(db.try_begin());
  stranger.end();
  ASSERT_TRUE(db.try_begin());
  add("a");
  db.run("COMMIT");
  EXPECT_EQ(rows(), 1);
}

TEST_F(DatabaseTest, its_write_ahead_log_is_cut_when_no_reader_needs_it_any_more) {
  const auto wal = db.file().string() + "-wal";
  const auto write_much = [&](int64_t bytes) {
    for (int64_t written = 0; written < bytes; written += 1 << 20) {
      db.run("INSERT INTO t (x) VALUES (hex(randomblob(524288)))");
    }
  };
  Stranger reader(db.file());
  reader.begin("BEGIN");
  reader.read();
  write_much(2 * Database::kWalLimit);
  EXPECT_GT(db.wal_bytes(), Database::kWalLimit);
  EXPECT_FALSE(db.empty_wal(std::chrono::milliseconds{1}));
  reader.end();
  add("the checkpoint of this commit copies all");
  add("and this one starts the log again");
  EXPECT_LE(std::filesystem::file_size(wal), Database::kWalLimit);

  reader.begin("BEGIN");
  reader.read();
  write_much(2 * Database::kWalLimit);
  reader.end();
  EXPECT_TRUE(db.empty_wal(std::chrono::milliseconds{1}));
  EXPECT_EQ(std::filesystem::file_size(wal), 0U);
  EXPECT_EQ(db.wal_bytes(), 0);
}

TEST(LockHolder, is_found_in_the_kernels_list_by_file_and_byte) {
  constexpr auto kLocks =
      "1: POSIX  ADVISORY  READ 40 fe:01:77 123 123\n"
      "2: FLOCK  ADVISORY  WRITE 41 fe:01:77 0 EOF\n"
      "3: POSIX  ADVISORY  WRITE 42 fe:01:78 120 120\n"
      "4: POSIX  ADVISORY  WRITE 43 fe:01:77 120 120\n"
      "4: -> POSIX  ADVISORY  WRITE 44 fe:01:77 120 120\n"
      "5: POSIX  ADVISORY  READ 45 fe:01:77 124 124\n"
      "broken\n";
  EXPECT_EQ(lock_holder_in(kLocks, 77, LockKind::writing, 1), 43);
  EXPECT_EQ(lock_holder_in(kLocks, 77, LockKind::writing, 43), std::nullopt) << "this process";
  EXPECT_EQ(lock_holder_in(kLocks, 77, LockKind::reading, 40), 45);
  EXPECT_EQ(lock_holder_in(kLocks, 79, LockKind::writing, 1), std::nullopt);
  EXPECT_EQ(lock_holder_in("", 77, LockKind::writing, 1), std::nullopt);
}

}  // namespace
}  // namespace pipekit::store
