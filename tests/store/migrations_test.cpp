#include "broker/store/migrations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/store/database.h"
#include "tests/support/temp_dir.h"

namespace pipekit::store {
namespace {

using test::TempDir;
using testing::HasSubstr;

std::vector<std::string> tables(Database& db) {
  std::vector<std::string> names;
  auto rows = db.query("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%' ORDER BY name");
  while (rows.next()) names.push_back(rows.get<std::string>(0));
  return names;
}

int64_t schema_of(Database& db) { return *db.value<int64_t>("PRAGMA user_version"); }

TEST(Migrations, have_a_way_up_and_down_for_every_number) {
  for (int64_t number = 1; number <= newest_schema(); ++number) {
    const auto prefix = std::string(3 - std::to_string(number).size(), '0') + std::to_string(number) + "_";
    int up = 0;
    int down = 0;
    for (const auto& file : migration_files()) {
      if (!file.name.starts_with(prefix)) continue;
      up += file.name.ends_with(".up.sql") ? 1 : 0;
      down += file.name.ends_with(".down.sql") ? 1 : 0;
    }
    EXPECT_EQ(std::pair(up, down), std::pair(1, 1)) << number;
  }
}

TEST(Migrations, make_an_empty_store_new_enough) {
  const TempDir dir{test::memory_directory()};
  Database db(dir.file("p.db"), Database::Mode::read_write);
  ASSERT_TRUE(migrate(db).ok());
  EXPECT_EQ(schema_of(db), newest_schema());
  EXPECT_EQ(db.value<std::string>("SELECT group_concat(name, ' ') FROM (SELECT name FROM driver ORDER BY id)"),
            "sqlite postgresql");
  EXPECT_EQ(db.value<std::string>("PRAGMA integrity_check"), "ok");
  EXPECT_EQ(db.value<int64_t>("PRAGMA auto_vacuum"), 2);
  EXPECT_EQ(std::filesystem::status(dir.file("p.db")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST(Migrations, applied_again_change_nothing) {
  const TempDir dir{test::memory_directory()};
  Database db(dir.file("p.db"), Database::Mode::read_write);
  ASSERT_TRUE(migrate(db).ok());
  const auto id = db.value<std::string>("SELECT value FROM meta WHERE key = 'store_id'");
  ASSERT_TRUE(id);
  ASSERT_TRUE(migrate(db).ok());
  EXPECT_EQ(db.value<std::string>("SELECT value FROM meta WHERE key = 'store_id'"), id);
  EXPECT_EQ(db.value<int64_t>("SELECT count(*) FROM driver"), 2);
}

TEST(Migrations, go_down_to_nothing_and_up_again) {
  const TempDir dir{test::memory_directory()};
  Database db(dir.file("p.db"), Database::Mode::read_write);
  ASSERT_TRUE(migrate(db).ok());
  const auto before = tables(db);
  migrate_down(db, 0);
  EXPECT_THAT(tables(db), testing::IsEmpty());
  EXPECT_EQ(schema_of(db), 0);
  ASSERT_TRUE(migrate(db).ok());
  EXPECT_EQ(tables(db), before);
}

TEST(Migrations, chain_the_runs_of_each_module_and_go_on_with_the_ids_that_were_given) {
  const TempDir dir{test::memory_directory()};
  Database db(dir.file("p.db"), Database::Mode::read_write);
  ASSERT_TRUE(migrate(db).ok());
  migrate_down(db, 7);
  for (const auto* ended : {"1", "1", "1", "1", "NULL"}) {
    db.execute_script(std::string("INSERT INTO run_log (module_id, module_name, snapshot_id, status, queued_at, "
                                  "finished_at, triggered_by) SELECT 1 + coalesce(max(id), 0) % 2, 'm', 1, iif(") +
                      ended + " IS NULL, 'queued', 'success'), 1, " + ended + ", 'manual' FROM run_log");
  }
  db.run("INSERT INTO module_last_run (module_id, run_id) VALUES (41, 3)");  // of one that was removed
  ASSERT_TRUE(migrate(db).ok());
  EXPECT_EQ(db.value<std::string>("SELECT group_concat(id || ':' || coalesce(previous_run, 'live'), ' ') FROM run_log"),
            "1:0 2:0 3:1 4:2 5:live");
  EXPECT_EQ(db.value<std::string>("SELECT value FROM meta WHERE key = 'last_module_id'"), "41");
}

TEST(Migrations, every_single_step_goes_down_and_up) {
  const TempDir dir{test::memory_directory()};
  Database db(dir.file("p.db"), Database::Mode::read_write);
  ASSERT_TRUE(migrate(db).ok());
  const auto before = tables(db);
  for (int64_t schema = newest_schema() - 1; schema > 0; --schema) {
    migrate_down(db, schema);
    EXPECT_EQ(schema_of(db), schema);
    ASSERT_TRUE(migrate(db).ok());
    EXPECT_EQ(tables(db), before);
  }
}

TEST(Migrations, copy_an_older_store_first) {
  const TempDir dir{test::memory_directory()};
  Database db(dir.file("p.db"), Database::Mode::read_write);
  ASSERT_TRUE(migrate(db).ok());
  migrate_down(db, newest_schema() - 1);
  db.run("INSERT INTO settings (key, value) VALUES ('a', 'before')");
  ASSERT_TRUE(migrate(db).ok());
  char suffix[16];
  snprintf(suffix, sizeof suffix, "%03d", static_cast<int>(newest_schema()));
  Database copy(dir.file("p.db") + ".before-" + suffix, Database::Mode::read_only);
  EXPECT_EQ(schema_of(copy), newest_schema() - 1);
  EXPECT_EQ(copy.value<std::string>("SELECT value FROM settings WHERE key = 'a'"), "before");
}

TEST(Migrations, refuse_a_database_that_is_no_store) {
  const TempDir dir{test::memory_directory()};
  for (const auto* version : {"0", "1", "999"}) {
    Database db(dir.file(std::string(version) + ".db"), Database::Mode::read_write);
    db.execute_script(std::string("CREATE TABLE theirs (x INTEGER) STRICT; PRAGMA user_version = ") + version);
    const auto refused = migrate(db);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(refused.error().message, HasSubstr("is a database, but not a Pipekit store"));
    EXPECT_EQ(db.value<int64_t>("SELECT count(*) FROM sqlite_schema"), 1);
  }
}

TEST(Migrations, refuse_a_newer_store_and_leave_it_alone) {
  const TempDir dir{test::memory_directory()};
  {
    Database db(dir.file("p.db"), Database::Mode::read_write);
    ASSERT_TRUE(migrate(db).ok());
    db.run("INSERT INTO settings (key, value) VALUES ('a', 'kept')");
    db.execute_script("CREATE TABLE later (x INTEGER) STRICT; PRAGMA user_version = 999");
  }
  Database db(dir.file("p.db"), Database::Mode::read_write);
  const auto refused = migrate(db);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(refused.error().message, HasSubstr("has schema 999, this program knows up to "));
  EXPECT_THAT(refused.error().hint, HasSubstr("newer pipekit-broker"));
  EXPECT_EQ(schema_of(db), 999);
  EXPECT_EQ(db.value<std::string>("SELECT value FROM settings WHERE key = 'a'"), "kept");
  EXPECT_EQ(db.value<int64_t>("SELECT count(*) FROM later"), 0);
}

TEST(Migrations, a_step_that_fails_leaves_the_store_as_it_was) {
  const TempDir dir{test::memory_directory()};
  Database db(dir.file("p.db"), Database::Mode::read_write);
  ASSERT_TRUE(migrate(db));
  migrate_down(db, 1);
  db.execute_script("ALTER TABLE attempt ADD COLUMN steps_json TEXT");  // a later migration creates it too
  EXPECT_THROW(static_cast<void>(migrate(db)), StoreError);
  EXPECT_EQ(schema_of(db), 2) << "the step before it stands, this one left nothing";
  EXPECT_EQ(db.value<int64_t>("SELECT count(*) FROM meta"), 1);
}

// In SQLite's plan, a word that a statement executed for every run must not have.
bool makes_a_temporary_table(Database& db, const std::string& sql) {
  auto rows = db.query("EXPLAIN " + sql);
  while (rows.next()) {
    if (rows.get<std::string>(1) == "OpenEphemeral") return true;
  }
  return false;
}

TEST(Migrations, a_change_of_state_makes_no_temporary_table) {
  const TempDir dir{test::memory_directory()};
  Database db(dir.file("p.db"), Database::Mode::read_write);
  ASSERT_TRUE(migrate(db).ok());
  EXPECT_FALSE(makes_a_temporary_table(db, "UPDATE run_log SET status = 'running' WHERE id = 1"));
  EXPECT_FALSE(makes_a_temporary_table(db, "UPDATE attempt SET state = 'ended' WHERE id = 1"));
  EXPECT_TRUE(makes_a_temporary_table(db, "UPDATE group_run SET status = 'error' WHERE id = 1"))
      << "rare, and as it was";
}

TEST(Migrations, states_are_checked) {
  const TempDir dir{test::memory_directory()};
  Database db(dir.file("p.db"), Database::Mode::read_write);
  ASSERT_TRUE(migrate(db).ok());
  const auto attempt = [&](const char* state) {
    db.run("INSERT INTO attempt (run_id, number, worker, incarnation, state, assigned_at) VALUES (1, 1, '', '', ?, 0)",
           state);
  };
  for (const auto* state : {"assigned", "running", "cancelling", "lost", "ended"}) EXPECT_NO_THROW(attempt(state));
  EXPECT_THROW(attempt("asleep"), ConstraintError);
  const auto run = [&](const char* status, std::optional<int64_t> finished_at) {
    db.run(
        "INSERT INTO run_log (module_id, module_name, snapshot_id, status, queued_at, finished_at, triggered_by)"
        " VALUES ((SELECT count(*) FROM run_log), '', 1, ?, 0, ?, '')",
        status, finished_at);
  };
  for (const auto* status : {"queued", "running"}) EXPECT_NO_THROW(run(status, std::nullopt));
  for (const auto* status : {"success", "error", "cancelled", "dry_run"}) EXPECT_NO_THROW(run(status, 1));
  EXPECT_THROW(run("asleep", 1), ConstraintError);
  EXPECT_THROW(run("success", std::nullopt), ConstraintError);
  EXPECT_EQ(db.value<std::string>("PRAGMA integrity_check"), "ok");
}

}  // namespace
}  // namespace pipekit::store
