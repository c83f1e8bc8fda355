#include <algorithm>
#include <csignal>

#include "tests/system/jrunner_fixture.h"

namespace pipekit::test {
namespace {

using JrunnerScript = JrunnerTest;

TEST_F(JrunnerScript, prints_the_last_result_set_of_an_sqlite_script_only) {
  const auto db = sqlite("a.db");
  const auto result = query(db,
                            "SELECT 1 AS earlier; CREATE TABLE x(i); INSERT INTO x VALUES (1), (NULL);\n"
                            "SELECT i, '' AS e, 'a,\"b' AS q, x'01' AS b, 0.1+0.2 AS f, 3.0 AS g FROM x;\n"
                            "CREATE TRIGGER tr AFTER INSERT ON x BEGIN SELECT 1; DELETE FROM x; END;\n"
                            "INSERT INTO x VALUES (3)");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out,
            "i,e,q,b,f,g\n1,\"\",\"a,\"\"b\",\\x01,0.30000000000000004,3.0\n"
            ",\"\",\"a,\"\"b\",\\x01,0.30000000000000004,3.0\n");
}

TEST_F(JrunnerScript, prints_the_last_result_set_of_a_postgres_script_only) {
  const auto result = query(postgres(),
                            "SELECT 1 AS earlier; CREATE TABLE x(i int); INSERT INTO x VALUES (1), (NULL);\n"
                            "SELECT i, '' AS e, 'a,\"b' AS q, '\\x01'::bytea AS b FROM x;\n"
                            "DO $$ BEGIN PERFORM 1; END $$; UPDATE x SET i = 2 -- end");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.out, "i,e,q,b\n1,\"\",\"a,\"\"b\",\\x01\n,\"\",\"a,\"\"b\",\\x01\n");
}

// The library and its dependencies would take most of the time of a short call.
TEST_F(JrunnerScript, loads_the_client_library_of_postgres_only_for_postgres) {
  auto with_loader = options();
  with_loader.env.emplace_back("LD_DEBUG=libs");
  EXPECT_THAT(run_program(program(), query_args(sqlite("a.db"), "SELECT 1"), with_loader).err,
              testing::Not(testing::HasSubstr("libpq")));
  EXPECT_THAT(run_program(program(), query_args(postgres(), "SELECT 1"), with_loader).err, testing::HasSubstr("libpq"));
}

TEST_F(JrunnerScript, a_result_set_without_rows_has_its_header) {
  const std::string script = "SELECT 1 AS a; SELECT 1 AS b, 2 AS c WHERE 1 = 0;";
  EXPECT_EQ(query(sqlite("a.db"), script).out, "b,c\n");
  EXPECT_EQ(query(postgres(), script).out, "b,c\n");
}

TEST_F(JrunnerScript, tsv_escapes_what_would_break_a_line) {
  EXPECT_EQ(
      query(sqlite("a.db"), "SELECT NULL AS n, '' AS e, 'a' || char(9) || char(10) || '\\' AS t", {"-f", "tsv"}).out,
      "n\te\tt\n\\N\t\ta\\t\\n\\\\\n");
}

TEST_F(JrunnerScript, stops_at_the_first_error_and_names_the_statement) {
  const auto db = sqlite("a.db", "CREATE TABLE t(a)");
  const auto result =
      query(db, "INSERT INTO t VALUES (1);\n-- then\nSELECT *\n FROM nowhere;\nINSERT INTO t VALUES (2)");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "error: statement 2, line 3 (SELECT *): no such table: nowhere\n");
  EXPECT_EQ(SqliteFile(sqlite_path("a.db")).value("SELECT group_concat(a) FROM t"), "1") << "autocommit";
}

TEST_F(JrunnerScript, stops_at_the_first_error_of_postgres_with_its_sqlstate) {
  auto db = postgres();
  postgres_session().query("CREATE TABLE t(a int PRIMARY KEY)");
  const auto result = query(db, "INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2)");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err,
              ::testing::StartsWith("error: statement 2, line 2 (INSERT INTO t VALUES (1)): duplicate key"));
  EXPECT_THAT(result.err, ::testing::HasSubstr("23505"));
  EXPECT_EQ(postgres_session().value("SELECT count(*) FROM t"), "1");
}

TEST_F(JrunnerScript, a_transaction_left_open_is_rolled_back) {
  const std::string script = "BEGIN; INSERT INTO t VALUES (1)";
  const auto db = sqlite("a.db", "CREATE TABLE t(a)");
  EXPECT_THAT(query(db, script).err, ::testing::HasSubstr("rolled back"));
  EXPECT_EQ(SqliteFile(sqlite_path("a.db")).value("SELECT count(*) FROM t"), "0");
  postgres_session().query("CREATE TABLE t(a int)");
  EXPECT_THAT(query(postgres(), script).err, ::testing::HasSubstr("rolled back"));
  EXPECT_EQ(postgres_session().value("SELECT count(*) FROM t"), "0");
}

TEST_F(JrunnerScript, a_large_result_is_printed_from_bounded_memory) {
  const auto result = query(sqlite("a.db"),
                            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) "
                            "SELECT i, hex(zeroblob(100)) AS filler FROM n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_GT(result.out.size(), 40'000'000U);
  EXPECT_LT(result.max_rss_kib, kMostRssKib);
  EXPECT_EQ(std::ranges::count(result.out, '\n'), 200'001);
}

TEST_F(JrunnerScript, a_long_script_takes_time_in_proportion) {
  std::string script = "CREATE TABLE t(a);BEGIN;";
  for (int i = 0; i < 30'000; ++i)
    script += "INSERT INTO t VALUES ('some text to make it longer " + std::to_string(i) + "');\n";
  const auto result = query(sqlite("a.db"), script + "COMMIT;SELECT count(*) AS n FROM t");
  EXPECT_EQ(result.out, "n\n30000\n") << result.err;
}

TEST_F(JrunnerScript, a_file_that_is_no_database_is_exit_5) {
  const auto path = dir_.write("text.db", std::string(4096, 'x'));
  EXPECT_EQ(query({"jdbc:sqlite:" + path}, "SELECT * FROM t").exit_code, 5);
  EXPECT_EQ(query({"jdbc:sqlite:" + dir_.path().string()}, "SELECT 1").exit_code, 5);
}

TEST_F(JrunnerScript, copy_of_the_client_is_refused_and_does_not_hang) {
  postgres_session().query("CREATE TABLE t(a int)");
  for (const auto* copy : {"COPY t FROM STDIN", "COPY t TO STDOUT"}) {
    const auto result = query(postgres(), copy);
    EXPECT_NE(result.exit_code, 0);
    EXPECT_THAT(result.err, ::testing::HasSubstr("COPY"));
  }
}

TEST_F(JrunnerScript, a_file_that_does_not_exist_is_not_created) {
  const auto result = query({"jdbc:sqlite:" + sqlite_path("absent.db")}, "CREATE TABLE t(a)");
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, ::testing::HasSubstr("no such file: " + sqlite_path("absent.db")));
  EXPECT_FALSE(std::filesystem::exists(sqlite_path("absent.db")));
  dir_.write("empty.db", "");
  EXPECT_EQ(query({"jdbc:sqlite:" + sqlite_path("empty.db")}, "CREATE TABLE t(a)").exit_code, 0);
}

TEST_F(JrunnerScript, a_server_that_cannot_be_reached_is_exit_5) {
  const auto result = query({"jdbc:postgresql://127.0.0.1:1/db"}, "SELECT 1");
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, ::testing::HasSubstr("127.0.0.1:1"));
  const auto wrong = run_program(program(), query_args(postgres(), "SELECT 1"), {.env = {"TEST_PG_PASSWORD=wrong"}});
  EXPECT_EQ(wrong.exit_code, 5);
  EXPECT_THAT(wrong.err, ::testing::HasSubstr("password authentication failed"));
  EXPECT_THAT(wrong.err, ::testing::Not(::testing::HasSubstr("wrong")));
}

TEST_F(JrunnerScript, sigterm_ends_the_wait_for_a_locked_file) {
  const auto db = sqlite("a.db", "CREATE TABLE t(a)");
  SqliteFile holder(sqlite_path("a.db"));
  holder.execute("BEGIN IMMEDIATE");
  RunningProgram waiting(program(), query_args(db, "INSERT INTO t VALUES (1)"));
  waiting.wait_for_err("waiting for a lock on " + sqlite_path("a.db") + "\n");
  waiting.signal(SIGTERM);
  EXPECT_EQ(waiting.wait().exit_code, 128 + SIGTERM);
  holder.execute("COMMIT");
  EXPECT_EQ(holder.value("SELECT count(*) FROM t"), "0");
}

TEST_F(JrunnerScript, a_locked_file_is_waited_for) {
  const auto db = sqlite("a.db", "CREATE TABLE t(a)");
  SqliteFile holder(sqlite_path("a.db"));
  holder.execute("BEGIN IMMEDIATE; INSERT INTO t VALUES (1)");
  RunningProgram waiting(program(), query_args(db, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2); COMMIT"));
  waiting.wait_for_err("waiting for a lock on ");
  holder.execute("COMMIT");
  EXPECT_EQ(waiting.wait().exit_code, 0);
  EXPECT_EQ(holder.value("SELECT group_concat(a) FROM t"), "1,2");
}

TEST_F(JrunnerScript, sigterm_cancels_the_statement_on_the_server) {
  const auto db = postgres();
  postgres_session().query("CREATE TABLE t(a int)");
  postgres_session().query("BEGIN; LOCK TABLE t");
  RunningProgram waiting(program(), query_args(db, "SELECT * FROM t"), options());
  PostgresSession other(PostgresCluster::shared().conninfo());
  other.wait_for_lock_waiter("pipekit-jrunner");
  waiting.signal(SIGTERM);
  EXPECT_EQ(waiting.wait().exit_code, 128 + SIGTERM);
  other.query(
      "DO $$ BEGIN WHILE EXISTS (SELECT 1 FROM pg_stat_activity WHERE application_name = 'pipekit-jrunner') "
      "LOOP PERFORM pg_stat_clear_snapshot(), pg_sleep(0.002); END LOOP; END $$");
}

TEST_F(JrunnerScript, a_session_ended_by_the_server_is_exit_5) {
  const auto db = postgres();
  RunningProgram waiting(
      program(), query_args(db, "DO $$ BEGIN RAISE NOTICE 'pid % end', pg_backend_pid(); END $$; SELECT pg_sleep(60)"),
      options());
  waiting.wait_for_err(" end");
  const auto from = waiting.err().find("pid ") + 4;
  postgres_session().query("SELECT pg_terminate_backend(" +
                           waiting.err().substr(from, waiting.err().find(" end") - from) + ")");
  const auto result = waiting.wait();
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_THAT(result.err, ::testing::HasSubstr("the connection to PostgreSQL was lost"));
}

TEST_F(JrunnerScript, a_reader_of_stdout_that_has_gone_ends_it) {
  RunningProgram program_with_rows(program(), query_args(sqlite("a.db"), "SELECT hex(zeroblob(1000000)) AS much"),
                                   {.env = {"PIPEKIT_FAILPOINT=jrunner.script.done=stop"}});
  program_with_rows.wait_until_stopped();
  program_with_rows.close_out();
  program_with_rows.signal(SIGCONT);
  EXPECT_EQ(program_with_rows.wait().exit_code, 128 + SIGPIPE);
}

TEST_F(JrunnerScript, the_session_tells_who_it_is) {
  auto db = postgres();
  EXPECT_EQ(query(db, "SHOW application_name").out, "application_name\npipekit-jrunner\n");
  db.url += "?ApplicationName=mine&currentSchema=other&options=-c%20TimeZone%3DEurope/Berlin";
  EXPECT_EQ(query(db,
                  "SELECT current_setting('application_name') AS a, current_setting('search_path') AS s, "
                  "current_setting('TimeZone') AS z")
                .out,
            "a,s,z\nmine,other,Europe/Berlin\n");
}

TEST_F(JrunnerScript, a_socket_directory_may_stand_for_the_host) {
  const auto& cluster = PostgresCluster::shared();
  std::string directory;
  for (const char c : cluster.socket_dir()) directory += c == '/' ? std::string("%2F") : std::string(1, c);
  const auto result =
      query({"jdbc:postgresql://" + directory + ":" + std::to_string(cluster.port()) + "/postgres?user=postgres"},
            "SELECT 7 AS seven");
  EXPECT_EQ(result.out, "seven\n7\n") << result.err;
}

TEST_F(JrunnerScript, wrong_arguments_are_exit_2) {
  EXPECT_EQ(run_program(program(), {"-scu"}).exit_code, 2);
  EXPECT_EQ(run_program(program(), {"-scu", "jdbc:oracle:thin:@x", "-sq", dir_.write("q.sql", "SELECT 1")}).exit_code,
            2);
  EXPECT_EQ(run_program(program(), {"-scu", "jdbc:sqlite:x", "-sq", sqlite_path("absent.sql")}).exit_code, 2);
  EXPECT_EQ(run_program(program(), {"--version"}).out, "pipekit-jrunner " PIPEKIT_VERSION "\n");
}

}  // namespace
}  // namespace pipekit::test
