#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "tests/system/jrunner_fixture.h"

namespace pipekit::test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using JrunnerMigration = JrunnerTest;

constexpr auto kPostgresColumns =
    "(id int8, small int2, n numeric(38,10), free numeric, f4 float4, f8 float8, b boolean, t text, c char(6), d date, "
    "ts timestamp, tz timestamptz, bytes bytea, j json, jb jsonb, ia int[], ta text[], u uuid, iv interval)";
constexpr auto kSqliteColumns =
    "(id INTEGER, small INT, n TEXT, free TEXT, f4 REAL, f8 REAL, b BOOLEAN, t TEXT, c CHAR(6), d DATE, ts TIMESTAMP, "
    "tz TEXT, bytes BLOB, j JSON, jb TEXT, ia TEXT, ta TEXT, u UUID, iv INTERVAL_AS_TEXT)";
constexpr auto kHardRows = R"(
INSERT INTO src (id, small, n, free, f4, f8, b, t, c, d, ts, tz, bytes, j, jb, ia, ta, u, iv) VALUES
 (9223372036854775807, 32767, 1234567890123456789012345678.0123456789, 0.10, 0.1, 0.1, true, 'it''s "quoted"', 'ab',
  '0001-01-01', '2026-01-02 03:04:05.678901', '2026-01-02 03:04:05.678901+05:30', '\x00ff5c0a', '{"a" : 1.0,  "a":2}',
  '{"k": [1, null, "x\ty"]}', '{1,NULL,3}', ARRAY['a,b', '', NULL, 'NULL', E'\\"\n'], '00112233-4455-6677-8899-aabbccddeeff',
  '1 year 2 mons -3 days 04:05:06.789'),
 (-9223372036854775808, -32768, -0.0000000001, 1e100, 'NaN', 'NaN', false, E'tab\tnl\ncr\rbs\\ \\N \\. \x08\x0b\x0c end', '',
  '9999-12-31', '0001-01-01 00:00:00', '9999-12-31 23:59:59.999999+00', '\x', '[]', '0', '{}', '{}', NULL, '-00:00:00.000001'),
 (9007199254740993, 0, 100, 'NaN', 3.4028235e38, 1.7976931348623157e308, NULL, '', '      ', '2000-02-29', 'infinity',
  '-infinity', decode('616263', 'hex'), '"\u0000"', '"x"', '{{1,2},{3,4}}', '{"é"}', NULL, '0'),
 (0, NULL, NULL, NULL, 'Infinity', '-Infinity', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (1, 1, 12.5000000000, 12.50, 1e-45, 5e-324, true, 'ä ☃ 𝄞 ' || chr(1) || chr(917505) || chr(1048575), 'żółć', '4000-01-01 BC',
  '2026-12-31 23:59:60', 'epoch', '\x5c4e', 'null', 'null', '{-1}', '{\\N}', NULL, '178000000 years'),
 (2, 2, 0, 123456789012345678901234567890, 0.3, 0.30000000000000004, true, repeat('long ', 100000), 'x', NULL, NULL, NULL,
  decode(repeat('00ff', 100000), 'hex'), 'true', 'true', NULL, NULL, NULL, NULL)
)";

constexpr auto kTimesAsText =
    "SELECT id, small, n, free, f4, f8, b, t, c, d::text, ts::text, tz::text, bytes, j, jb, ia, ta, u, iv FROM src";
constexpr auto kObvious =
    "SELECT id, small, n, free, NULLIF(f4, 'NaN'), NULLIF(f8, 'NaN'), b, t, c, NULLIF(d, '4000-01-01 BC'), NULLIF(ts, "
    "'infinity'), NULLIF(tz, '-infinity'), bytes, j, jb, ia, ta, u, iv FROM src";

std::string digest(PostgresSession& session, const std::string& table) {
  session.query("SET extra_float_digits = 3; SET TimeZone = 'UTC'");
  return session.value("SELECT string_agg(md5(x::text), ' ' ORDER BY id) FROM " + table + " AS x");
}

class HardTypes : public JrunnerTest {
 protected:
  void SetUp() override {
    db_ = postgres();
    auto& session = postgres_session();
    session.query(std::string("CREATE TABLE src ") + kPostgresColumns + "; CREATE TABLE dst " + kPostgresColumns);
    session.query(kHardRows);
    expected_ = digest(session, "src");
  }
  Endpoint db_{};
  std::string expected_{};
};

TEST_F(HardTypes, stay_exact_between_postgres_databases) {
  const auto result = migrate(db_, "SELECT * FROM src -- all\n;", db_, "dst");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, EndsWith("6 rows\n"));
  EXPECT_EQ(digest(postgres_session(), "dst"), expected_);
}

// SQLite has no NaN, and its functions read neither infinity nor years BC: those are refused unless they are text.
TEST_F(HardTypes, stay_exact_from_postgres_through_two_sqlite_files_and_back) {
  postgres_session().query("UPDATE src SET f4 = NULLIF(f4, 'NaN'), f8 = NULLIF(f8, 'NaN')");
  expected_ = digest(postgres_session(), "src");
  const auto one = sqlite("one.db", std::string("CREATE TABLE x ") + kSqliteColumns);
  const auto two = sqlite("two.db", std::string("CREATE TABLE x ") + kSqliteColumns);
  auto result = migrate(db_, kTimesAsText, one, "x");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  result = migrate(one, "SELECT * FROM x", two, "x");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  result = migrate(two, "SELECT * FROM x", db_, "dst");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(digest(postgres_session(), "dst"), expected_) << postgres_session().value(
      "SELECT string_agg(left(d::text, 300), E'\\n') FROM dst d WHERE NOT EXISTS "
      "(SELECT 1 FROM src s WHERE s::text = d::text)");
}

TEST_F(HardTypes, are_the_obvious_values_in_sqlite) {
  const auto file = sqlite("one.db", std::string("CREATE TABLE x ") + kSqliteColumns);
  const auto loaded = migrate(db_, kObvious, file, "x");
  ASSERT_EQ(loaded.exit_code, 0) << loaded.err;
  SqliteFile one(sqlite_path("one.db"));
  EXPECT_EQ(
      one.value(
          "SELECT group_concat(typeof(id) || typeof(b) || typeof(bytes) || typeof(t)) FROM x WHERE id < 3 AND id > 0"),
      "integerintegerblobtext,integerintegerblobtext");
  EXPECT_EQ(one.value("SELECT b FROM x WHERE small = 32767"), "1");
  EXPECT_EQ(one.value("SELECT hex(bytes) FROM x WHERE small = 32767"), "00FF5C0A");
  EXPECT_EQ(one.value("SELECT free FROM x WHERE small = 32767"), "0.10");
  EXPECT_EQ(one.value("SELECT tz FROM x WHERE small = 32767"), "2026-01-01 21:34:05.678901+00:00");
  EXPECT_EQ(one.value("SELECT datetime(tz) FROM x WHERE small = 32767"), "2026-01-01 21:34:05");
  EXPECT_EQ(one.value("SELECT f8 < -1e308 FROM x WHERE id = 0"), "1");
  EXPECT_EQ(one.value("SELECT t IS NULL FROM x WHERE id = 0"), "1");
  EXPECT_EQ(one.value("SELECT t = '' FROM x WHERE id = 9007199254740993"), "1");
}

TEST_F(JrunnerMigration, a_decimal_is_a_number_in_sqlite_only_where_no_digit_is_lost) {
  const auto db = postgres();
  const auto file = sqlite("a.db", "CREATE TABLE x (n NUMERIC(38,10), any, t TEXT)");
  const std::string row = "SELECT v, v, v FROM (VALUES (12.50::numeric), (7), (0.1)) AS t(v)";
  ASSERT_EQ(migrate(db, row, file, "x").exit_code, 0);
  SqliteFile check(sqlite_path("a.db"));
  EXPECT_EQ(check.value("SELECT group_concat(n || typeof(n) || any || typeof(any) || t || typeof(t)) FROM x"),
            "12.5real12.5real12.50text,7integer7integer7text,0.1real0.1real0.1text");
  const auto lost =
      migrate(db, "SELECT v, v, v FROM (VALUES (1::numeric), (1234567890.1234567891)) AS t(v)", file, "x");
  EXPECT_EQ(lost.exit_code, 1);
  EXPECT_THAT(lost.err, HasSubstr("row 2, column n: SQLite would round 1234567890.1234567891"));
  EXPECT_EQ(check.value("SELECT count(*) FROM x"), "3") << "all rows or none";
  ASSERT_EQ(migrate(db, "SELECT 0, 1234567890.1234567891::numeric, ''", file, "x").exit_code, 0);
  EXPECT_EQ(check.value("SELECT any || typeof(any) FROM x WHERE n = 0"), "1234567890.1234567891text");
}

TEST_F(JrunnerMigration, booleans_of_sqlite_become_booleans) {
  const auto file = sqlite("a.db", "CREATE TABLE x (b); INSERT INTO x VALUES (1), (0), ('true'), ('f'), (NULL), (1.0)");
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (b boolean)");
  const auto result = migrate(file, "SELECT b FROM x ORDER BY rowid", db, "x");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(postgres_session().value("SELECT string_agg(coalesce(b::text, 'null'), ',' ) FROM x"),
            "true,false,true,false,null,true");
}

TEST_F(JrunnerMigration, columns_that_are_generated_are_not_loaded) {
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (a int, twice int GENERATED ALWAYS AS (a * 2) STORED, b text)");
  const auto file = sqlite("a.db", "CREATE TABLE x (a INT, twice INT AS (a * 2), b TEXT)");
  ASSERT_EQ(migrate(file, "SELECT 1, 'x'", db, "x").exit_code, 0);
  ASSERT_EQ(migrate(db, "SELECT a, b FROM x", file, "x").exit_code, 0);
  EXPECT_EQ(postgres_session().value("SELECT x::text FROM x"), "(1,2,x)");
  EXPECT_EQ(SqliteFile(sqlite_path("a.db")).value("SELECT a || twice || b FROM x"), "12x");
}

TEST_F(JrunnerMigration, odd_table_names_are_sql_identifiers) {
  const auto db = postgres();
  postgres_session().query("CREATE SCHEMA \"My Schema\"; CREATE TABLE \"My Schema\".\"a\"\"b.c\" (\"x y\" int)");
  const auto file = sqlite("a.db", "CREATE TABLE \"a\"\"b.c\" (\"x y\"); CREATE TABLE \"sales.orders\" (x)");
  EXPECT_EQ(migrate(file, "SELECT 1", db, "\"My Schema\".\"a\"\"b.c\"").exit_code, 0);
  EXPECT_EQ(migrate(db, "SELECT 1", file, "main.\"a\"\"b.c\"").exit_code, 0);
  EXPECT_EQ(migrate(db, "SELECT 1", file, "sales.orders").exit_code, 0);
  EXPECT_EQ(postgres_session().value("SELECT count(*) FROM \"My Schema\".\"a\"\"b.c\""), "1");
}

TEST_F(JrunnerMigration, no_row_is_a_success) {
  const auto file = sqlite("a.db", "CREATE TABLE x (a)");
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (a int)");
  EXPECT_EQ(migrate(file, "SELECT a FROM x", db, "x").out, "0 rows\n");
  EXPECT_EQ(migrate(db, "SELECT a FROM x", file, "x").out, "0 rows\n");
}

TEST_F(JrunnerMigration, text_with_a_nul_character_is_refused_for_postgres) {
  const auto file =
      sqlite("a.db", "CREATE TABLE x (a, b); INSERT INTO x VALUES (1, 'fine'), (2, 'a' || char(0) || 'b')");
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (a int, dest text)");
  const auto result = migrate(file, "SELECT a, b FROM x", db, "x");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("row 2, column b: text with a NUL character"));
  EXPECT_EQ(postgres_session().value("SELECT count(*) FROM x"), "0");
}

TEST_F(JrunnerMigration, a_row_that_does_not_fit_leaves_postgres_as_it_was) {
  const auto file = sqlite("a.db", "CREATE TABLE x (a); INSERT INTO x VALUES (1), (2), ('three')");
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (a int); INSERT INTO x VALUES (42)");
  const auto result = migrate(file, "SELECT a FROM x", db, "x");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("invalid input syntax for type integer: \"three\""));
  EXPECT_THAT(result.err, HasSubstr("COPY x, line 3, column a"));
  EXPECT_EQ(postgres_session().value("SELECT sum(a) FROM x"), "42");
}

TEST_F(JrunnerMigration, a_row_that_does_not_fit_leaves_sqlite_as_it_was) {
  const auto file = sqlite("a.db", "CREATE TABLE x (a INTEGER PRIMARY KEY); INSERT INTO x VALUES (3)");
  const auto result = migrate(sqlite("b.db"), "VALUES (1), (2), (3)", file, "x");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "error: destination: row 3: UNIQUE constraint failed: x.a\n");
  EXPECT_EQ(SqliteFile(sqlite_path("a.db")).value("SELECT group_concat(a) FROM x"), "3");
}

TEST_F(JrunnerMigration, a_query_that_fails_half_way_loads_nothing) {
  const auto file = sqlite("a.db", "CREATE TABLE x (a)");
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (a int)");
  const auto from_postgres = migrate(db, "SELECT 1 / (100000 - i) FROM generate_series(1, 200000) AS i", file, "x");
  EXPECT_EQ(from_postgres.exit_code, 1);
  EXPECT_THAT(from_postgres.err, HasSubstr("division by zero"));
  const auto from_sqlite = migrate(file,
                                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
                                   "SELECT CASE WHEN i = 100000 THEN abs(-9223372036854775807 - 1) ELSE i END FROM n",
                                   db, "x");
  EXPECT_EQ(from_sqlite.exit_code, 1);
  EXPECT_THAT(from_sqlite.err, HasSubstr("integer overflow"));
  EXPECT_EQ(postgres_session().value("SELECT count(*) FROM x"), "0");
  EXPECT_EQ(SqliteFile(sqlite_path("a.db")).value("SELECT count(*) FROM x"), "0");
}

TEST_F(JrunnerMigration, what_cannot_work_is_said_before_anything_is_read) {
  const auto file = sqlite("a.db", "CREATE TABLE x (a, b)");
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (a int, b int)");
  for (const auto& end : {file, db}) {
    const auto count = migrate(file, "SELECT 1, 2, 3", end, "x");
    EXPECT_EQ(count.exit_code, 3);
    EXPECT_THAT(count.err, HasSubstr("the query has 3 columns and the table x has 2"));
    const auto missing = migrate(file, "SELECT 1", end, "nowhere");
    EXPECT_EQ(missing.exit_code, 3);
    EXPECT_THAT(missing.err, HasSubstr("no such table in "));
    EXPECT_THAT(migrate(end, "-- nothing\n;", file, "x").err, HasSubstr("has no statement"));
    EXPECT_THAT(migrate(end, "SELECT 1, 2; SELECT 2", file, "x").err,
                HasSubstr("more than one statement; the second is: SELECT 2"));
    EXPECT_THAT(migrate(end, "CREATE TABLE y (a int)", file, "x").err, HasSubstr("returns no rows"));
  }
}

TEST_F(JrunnerMigration, source_and_destination_may_be_one_sqlite_file) {
  for (const std::string mode : {"delete", "wal"}) {
    const auto name = mode + ".db";
    const auto file =
        sqlite(name, "PRAGMA journal_mode=" + mode +
                         "; CREATE TABLE x (a INTEGER, b TEXT); "
                         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) "
                         "INSERT INTO x SELECT i, hex(zeroblob(50)) FROM n");
    std::filesystem::create_symlink(sqlite_path(name), sqlite_path("link-" + name));
    const Endpoint link{"jdbc:sqlite:file:" + sqlite_path("link-" + name) + "?cache=private"};
    const auto result = migrate(file, "SELECT a, b FROM x", link, "x");
    EXPECT_EQ(result.out, "50000 rows\n") << result.err;
    EXPECT_EQ(SqliteFile(sqlite_path(name)).value("SELECT count(*) FROM x"), "100000");
  }
}

TEST_F(JrunnerMigration, two_transfers_between_tables_of_one_postgres_database_see_a_snapshot) {
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x AS SELECT i FROM generate_series(1, 100000) AS i");
  EXPECT_EQ(migrate(db, "SELECT i FROM x", db, "x").out, "100000 rows\n");
  EXPECT_EQ(postgres_session().value("SELECT count(*) FROM x"), "200000");
}

TEST_F(JrunnerMigration, killed_before_the_commit_nothing_is_loaded_and_after_it_everything) {
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (a int)");
  const auto file = sqlite("a.db", "CREATE TABLE x (a)");
  for (const auto& end : {file, db}) {
    const auto count = [&] {
      return end.login ? postgres_session().value("SELECT count(*) FROM x")
                       : SqliteFile(sqlite_path("a.db")).value("SELECT count(*) FROM x");
    };
    for (const std::string point : {"jrunner.load.begun", "jrunner.load.before_commit", "jrunner.load.after_commit"}) {
      auto options = this->options();
      options.env.push_back("PIPEKIT_FAILPOINT=" + point + "=kill");
      const auto result = run_program(program(), migration_args(file, "VALUES (1), (2)", end, "x"), options);
      EXPECT_EQ(result.exit_code, 128 + SIGKILL);
      EXPECT_EQ(count(), point == "jrunner.load.after_commit" ? "2" : "0") << point;
    }
  }
}

TEST_F(JrunnerMigration, many_rows_pass_through_bounded_memory) {
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (i int8, t text)");
  const auto file = sqlite("a.db", "CREATE TABLE x (i INTEGER, t TEXT)");
  auto result =
      migrate(db, "SELECT i, 'a text of some length, row ' || i FROM generate_series(1, 400000) AS i", file, "x");
  EXPECT_THAT(result.out, EndsWith("400000 rows\n")) << result.err;
  EXPECT_LT(result.max_rss_kib, kMostRssKib);
  result = migrate(file, "SELECT * FROM x", db, "x");
  EXPECT_THAT(result.out, EndsWith("400000 rows\n")) << result.err;
  EXPECT_LT(result.max_rss_kib, kMostRssKib);
}

TEST_F(JrunnerMigration, a_huge_row_passes_all_four_ways) {
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (t text, b bytea); CREATE TABLE y (LIKE x)");
  const auto file = sqlite("a.db", "CREATE TABLE x (t TEXT, b BLOB); CREATE TABLE y (t TEXT, b BLOB)");
  EXPECT_THAT(migrate(file, "SELECT hex(zeroblob(10000000)), zeroblob(20000000)", file, "x").out, EndsWith("1 row\n"));
  EXPECT_THAT(migrate(file, "SELECT t, b FROM x", db, "x").out, EndsWith("1 row\n"));
  EXPECT_THAT(migrate(db, "SELECT t, b FROM x", db, "y").out, EndsWith("1 row\n"));
  EXPECT_THAT(migrate(db, "SELECT t, b FROM y", file, "y").out, EndsWith("1 row\n"));
  EXPECT_EQ(
      SqliteFile(sqlite_path("a.db")).value("SELECT y.t = x.t AND y.b = x.b AND length(y.b) = 20000000 FROM x, y"),
      "1");
}

TEST_F(JrunnerMigration, a_sqlite_destination_that_may_only_be_read_is_refused) {
  sqlite("a.db", "CREATE TABLE x (a)");
  const auto result =
      migrate(sqlite("b.db"), "SELECT 1", {"jdbc:sqlite:file:" + sqlite_path("a.db") + "?mode=ro"}, "x");
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, HasSubstr("is read-only"));
}

TEST_F(JrunnerMigration, foreign_keys_and_deferred_constraints_are_told_at_the_commit) {
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
  const auto file = sqlite("a.db",
                           "CREATE TABLE p (a INTEGER PRIMARY KEY); "
                           "CREATE TABLE x (a REFERENCES p (a) DEFERRABLE INITIALLY DEFERRED)");
  EXPECT_THAT(migrate(file, "VALUES (1), (1)", db, "x").err, HasSubstr("duplicate key"));
  EXPECT_EQ(postgres_session().value("SELECT count(*) FROM x"), "0");
  const auto refused = migrate(db, "SELECT 1", {file.url + "?foreign_keys=on"}, "x");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("FOREIGN KEY constraint failed"));
  EXPECT_EQ(SqliteFile(sqlite_path("a.db")).value("SELECT count(*) FROM x"), "0");
}

TEST_F(JrunnerMigration, a_reader_of_stdout_that_has_gone_is_told_though_the_rows_are_committed) {
  const auto file = sqlite("a.db", "CREATE TABLE x (a)");
  RunningProgram loader(program(), migration_args(sqlite("b.db"), "SELECT 1", file, "x"),
                        {.env = {"PIPEKIT_FAILPOINT=jrunner.load.after_commit=stop"}});
  loader.wait_until_stopped();
  loader.close_out();
  loader.signal(SIGCONT);
  EXPECT_EQ(loader.wait().exit_code, 128 + SIGPIPE);
  EXPECT_EQ(SqliteFile(sqlite_path("a.db")).value("SELECT count(*) FROM x"), "1");
}

TEST_F(JrunnerMigration, a_loader_whose_session_is_ended_loads_nothing) {
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (a int PRIMARY KEY)");
  postgres_session().query("BEGIN; INSERT INTO x VALUES (1)");
  RunningProgram loader(program(), migration_args(sqlite("a.db"), "VALUES (0), (1)", db, "x"),
                        {.env = {"TEST_PG_PASSWORD=s3cret pass", "PIPEKIT_FAILPOINT=jrunner.load.before_commit=stop"}});
  loader.wait_until_stopped();
  loader.signal(SIGCONT);  // continues into the lock on key 1
  PostgresSession other(PostgresCluster::shared().conninfo());
  other.wait_for_lock_waiter("pipekit-jrunner");
  other.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pipekit-jrunner'");
  EXPECT_EQ(loader.wait().exit_code, 5);
  postgres_session().query("ROLLBACK");
  EXPECT_EQ(postgres_session().value("SELECT count(*) FROM x"), "0");
}

TEST_F(JrunnerMigration, sigterm_while_the_destination_is_locked_ends_both_sides) {
  const auto file = sqlite("a.db", "CREATE TABLE x (a)");
  SqliteFile holder(sqlite_path("a.db"));
  holder.execute("BEGIN IMMEDIATE");
  const auto db = postgres();
  RunningProgram loader(program(), migration_args(db, "SELECT i FROM generate_series(1, 10000000) AS i", file, "x"),
                        options());
  loader.wait_for_err("waiting for a lock on ");
  loader.signal(SIGTERM);
  EXPECT_EQ(loader.wait().exit_code, 128 + SIGTERM);
  holder.execute("COMMIT");
  EXPECT_EQ(holder.value("SELECT count(*) FROM x"), "0");
}

TEST_F(JrunnerMigration, a_source_that_fails_ends_the_wait_for_the_destination) {
  const auto file = sqlite("a.db", "CREATE TABLE x (a)");
  SqliteFile holder(sqlite_path("a.db"));
  holder.execute("BEGIN IMMEDIATE");
  const auto result = migrate(postgres(), "SELECT 1 / (100000 - i) FROM generate_series(1, 100000) AS i", file, "x");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("division by zero"));
}

TEST_F(JrunnerMigration, a_failed_load_ends_a_long_query_early) {
  const auto db = postgres();
  const auto file = sqlite("a.db", "CREATE TABLE x (a CHECK (a < 10))");
  const auto result = migrate(db, "SELECT generate_series(1::int8, 1000000000000)", file, "x");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("row 10: CHECK constraint failed"));
  postgres_session().query("CREATE TABLE x (a int CHECK (a < 10))");
  const auto into_postgres = migrate(
      sqlite("b.db"), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", db, "x");
  EXPECT_EQ(into_postgres.exit_code, 1);
  EXPECT_THAT(into_postgres.err, HasSubstr("COPY x, line 10"));
}

class Columns : public JrunnerTest {
 protected:
  // Into one column of that type, by a query of PostgreSQL: typeof|value, or the error.
  std::string loaded(const std::string& declared, const std::string& expression) {
    const auto file = sqlite("c" + std::to_string(++files_) + ".db", "CREATE TABLE x (v " + declared + ")");
    const auto result = migrate(db_, "SELECT " + expression + " AS v", file, "x");
    warned_ = result.err;
    if (result.exit_code != 0) return result.err;
    return SqliteFile(file.url.substr(std::string("jdbc:sqlite:").size())).value("SELECT typeof(v) || '|' || v FROM x");
  }

  void SetUp() override { db_ = postgres(); }

  Endpoint db_{};
  std::string warned_;
  int files_ = 0;
};

TEST_F(Columns, of_numbers_refuse_what_is_no_number_and_keep_the_table_as_it_was) {
  for (const std::string declared : {"NUMERIC", "DECIMAL(10,2)", "INTEGER", "REAL", "BIGINT"}) {
    for (const std::string value : {"'1234.56'::money",
                                    "interval '1 day'",
                                    "B'0101'",
                                    "'{1,2}'::int[]",
                                    "int4range(1, 5)",
                                    "point '(1,2)'",
                                    "inet '10.0.0.1'",
                                    "macaddr '08:00:2b:01:02:03'",
                                    "'5'::json",
                                    "'5'::jsonb",
                                    "xmlcomment('x')",
                                    "'00112233-4455-6677-8899-aabbccddeeff'::uuid",
                                    "date '2026-03-01'",
                                    "time '09:00'",
                                    "timetz '09:00+00'",
                                    "timestamp '2026-03-01 09:00'",
                                    "timestamptz '2026-03-01 09:00+00'",
                                    "'1/2'::pg_lsn",
                                    "'pg_class'::regclass",
                                    "'a b'::tsvector",
                                    "ROW(1, 2)",
                                    "'abc'::text",
                                    "''::text",
                                    "'NaN'::numeric",
                                    "'NaN'::float8",
                                    "'\\x01'::bytea"}) {
      EXPECT_THAT(loaded(declared, value), HasSubstr("error: destination: row 1, column v: "))
          << declared << " " << value;
    }
  }
  EXPECT_THAT(loaded("NUMERIC", "'1234.56'::money"), HasSubstr("'$1,234.56' is not a number"));
  EXPECT_THAT(warned_, HasSubstr("v::numeric"));
}

TEST_F(Columns, of_numbers_take_numbers_whatever_type_they_have) {
  EXPECT_EQ(loaded("NUMERIC", "'1234.56'::money::numeric"), "real|1234.56");
  EXPECT_EQ(loaded("INTEGER", "' 7 '::text"), "integer|7");
  EXPECT_EQ(loaded("INTEGER", "true"), "integer|1");
  EXPECT_EQ(loaded("REAL", "'Infinity'::float8"), "real|Inf");
  EXPECT_EQ(loaded("INTEGER", "xid8 '18446744073709551615'"),
            "error: destination: row 1, column v: SQLite would round "
            "18446744073709551615 to the digits of a double\nhint: declare the column TEXT, or round in the query\n");
  EXPECT_EQ(loaded("INTEGER", "4000000000::oid"), "integer|4000000000");
  postgres_session().query("CREATE DOMAIN amount AS numeric(9,2); CREATE TYPE mood AS ENUM ('1', 'sad')");
  EXPECT_EQ(loaded("NUMERIC", "1.50::amount"), "real|1.5");
  EXPECT_THAT(loaded("NUMERIC", "'1'::mood"), HasSubstr("is not a number"));
}

TEST_F(Columns, of_text_take_everything_as_it_is_written) {
  EXPECT_EQ(loaded("TEXT", "'1234.56'::money"), "text|$1,234.56");
  EXPECT_EQ(loaded("TEXT", "B'0101'"), "text|0101");
  EXPECT_EQ(loaded("TEXT", "'NaN'::float8"), "text|NaN");
  EXPECT_EQ(loaded("TEXT", "100000::float8"), "text|100000.0");
  EXPECT_EQ(loaded("TEXT", "1e15::float8"), "text|1000000000000000.0");
  EXPECT_EQ(loaded("TEXT", "interval '1 day'"), "text|1 day");
  EXPECT_EQ(loaded("DATE", "date '2026-03-01'"), "text|2026-03-01");
  EXPECT_EQ(loaded("INTERVAL", "interval '1 day'"), "text|1 day");
  EXPECT_EQ(loaded("UUID", "'00112233-4455-6677-8899-aabbccddeeff'::uuid"),
            "text|00112233-4455-6677-8899-aabbccddeeff");
}

TEST_F(Columns, of_a_type_that_sqlite_takes_for_a_number_do_not_respell_text) {
  for (const std::string value : {"'007'::text", "'1.50'::text", "B'0101'", "'1e5'::text"}) {
    EXPECT_THAT(loaded("STRING", value), HasSubstr("because the column is declared STRING")) << value;
  }
  EXPECT_EQ(loaded("STRING", "'7'::text"), "integer|7");
  EXPECT_THAT(warned_, HasSubstr("warning: row 1, column v: SQLite stores the text '7' as a number"));
  EXPECT_EQ(loaded("STRING", "'abc'::text"), "text|abc");
  EXPECT_THAT(warned_, Not(HasSubstr("warning")));
}

TEST_F(Columns, take_times_that_sqlites_functions_read_and_refuse_others) {
  EXPECT_EQ(loaded("TEXT", "timestamptz '2026-03-01 09:00:00+02'"), "text|2026-03-01 07:00:00+00:00");
  for (const std::string value : {"'infinity'::timestamptz", "'-infinity'::date", "date '0044-03-15 BC'",
                                  "timestamp '10000-01-01'", "time '24:00'"}) {
    EXPECT_THAT(loaded("TEXT", value), HasSubstr("is not a date or time that SQLite's functions can read")) << value;
    EXPECT_THAT(warned_, HasSubstr("CAST(v AS text)"));
    EXPECT_THAT(loaded("TEXT", "(" + value + ")::text"), HasSubstr("text|"));
  }
}

TEST_F(JrunnerMigration, a_round_number_fits_an_integer_column_as_any_other) {
  const auto file = sqlite("a.db", "CREATE TABLE x (v REAL); INSERT INTO x VALUES (99999), (100000), (1e15), (9.2e18)");
  const auto db = postgres();
  postgres_session().query("CREATE TABLE x (v bigint); CREATE TABLE y (v text)");
  ASSERT_EQ(migrate(file, "SELECT v FROM x", db, "x").exit_code, 0);
  ASSERT_EQ(migrate(file, "SELECT v FROM x LIMIT 3", db, "y").exit_code, 0);
  EXPECT_EQ(postgres_session().value("SELECT max(v) FROM x"), "9200000000000000000");
  EXPECT_EQ(postgres_session().value("SELECT string_agg(v, ' ') FROM y"), "99999.0 100000.0 1000000000000000.0");
}

}  // namespace
}  // namespace pipekit::test
