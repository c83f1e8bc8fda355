// What a script may do to the database and the machine: read-only sessions, and SQLite with its dangerous parts closed.
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/system/jrunner_fixture.h"

namespace pipekit::test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kReadOnly{"--read-only"};

class ReadOnlySession : public JrunnerTest {
 protected:
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(fs::path(sqlite_path("x")).parent_path())) {
      const auto name = entry.path().filename().string();
      if (name.find(".db") != std::string::npos) names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
  }
};

TEST_F(ReadOnlySession, a_script_cannot_write_whatever_it_tries_in_sqlite) {
  for (const std::string mode : {"delete", "wal"}) {
    const auto file =
        sqlite(mode + ".db", "PRAGMA journal_mode=" + mode + "; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    for (const std::string script :
         {"DELETE FROM t RETURNING a", "PRAGMA query_only=0; DELETE FROM t", "INSERT INTO t VALUES (2)", "DROP TABLE t",
          "PRAGMA user_version=7", "BEGIN IMMEDIATE; SELECT 1", "PRAGMA journal_mode=memory", "VACUUM",
          "CREATE TEMP TABLE x AS SELECT 1; SELECT * FROM x",
          "PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql=''", "ATTACH 'other.db' AS o",
          "VACUUM INTO 'other.db'"}) {
      const auto result = query(file, script, kReadOnly);
      EXPECT_NE(result.exit_code, 0) << script;
    }
    EXPECT_THAT(query(file, "DELETE FROM t RETURNING a", kReadOnly).err,
                HasSubstr("read_only: false on the connection"));
    EXPECT_EQ(query(file, "SELECT a FROM t", kReadOnly).out, "a\n1\n");
  }
  EXPECT_THAT(files(), ElementsAre("delete.db", "wal.db")) << "nothing is left beside them";
}

TEST_F(ReadOnlySession, a_script_cannot_write_whatever_it_tries_in_postgres) {
  const auto db = postgres();
  postgres_session().query(
      "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM "
      "t "
      "RETURNING a'; CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN COMMIT; DELETE FROM t; END'; CREATE SEQUENCE s");
  for (const std::string script :
       {"DELETE FROM t RETURNING a", "SELECT f()", "CALL p()", "COMMIT; DELETE FROM t", "END; DELETE FROM t",
        "/* x */ rollback; DELETE FROM t", "BEGIN READ WRITE; DELETE FROM t; COMMIT",
        "SET TRANSACTION READ WRITE; DELETE FROM t", "SET transaction_read_only = off; DELETE FROM t",
        "SET default_transaction_read_only = off; DELETE FROM t",
        "SELECT set_config('transaction_read_only', 'off', true); DELETE FROM t", "SELECT nextval('s')",
        "ABORT AND CHAIN; DELETE FROM t", "PREPARE TRANSACTION 'x'",
        "SAVEPOINT a; SET TRANSACTION READ WRITE; DELETE FROM t", "DO 'BEGIN COMMIT; DELETE FROM t; END'"}) {
    const auto result = query(db, script, kReadOnly);
    EXPECT_EQ(result.exit_code == 0, false) << script;
    EXPECT_EQ(postgres_session().value("SELECT count(*) FROM t"), "1") << script;
  }
  EXPECT_EQ(query(db, "SELECT a FROM t", kReadOnly).out, "a\n1\n");
  EXPECT_EQ(query(db, "DELETE FROM t RETURNING a").out, "a\n1\n") << "without the flag it may";
}

TEST_F(ReadOnlySession, a_source_cannot_write_on_its_way_out) {
  const auto db = postgres();
  postgres_session().query(
      "CREATE TABLE t (a int); INSERT INTO t VALUES (1); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DELETE FROM "
      "t "
      "RETURNING a'; CREATE TABLE d (a int)");
  const auto file = sqlite("a.db", "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  const auto with_flag = [&](const Endpoint& source, const std::string& sql) {
    auto args = migration_args(source, sql, db, "d");
    args.emplace_back("--read-only");
    return run_program(program(), args, options());
  };
  EXPECT_THAT(with_flag(db, "SELECT f()").err, HasSubstr("read-only transaction"));
  EXPECT_THAT(with_flag(file, "DELETE FROM t RETURNING a").err, HasSubstr("this session is read-only"));
  EXPECT_EQ(postgres_session().value("SELECT count(*) FROM t"), "1");
  EXPECT_EQ(with_flag(db, "SELECT a FROM t").exit_code, 0);
  EXPECT_EQ(with_flag(file, "SELECT a FROM t").exit_code, 0);
  EXPECT_EQ(migrate(db, "SELECT f()", db, "d").exit_code, 0) << "without the flag it may";
}

// As another user than the owner of the database: only root can arrange that.
class Stranger : public ReadOnlySession {
 protected:
  static constexpr unsigned kNobody = 65534;

  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    file_ = sqlite("o.db", "PRAGMA journal_mode=WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    fs::permissions(fs::path(sqlite_path("o.db")).parent_path(), fs::perms::all);
    for (auto at = fs::path(sqlite_path("o.db")).parent_path(); at != at.root_path(); at = at.parent_path()) {
      fs::permissions(at, fs::perms::others_exec | fs::perms::others_read, fs::perm_options::add);
    }
  }
  ProgramResult as_nobody(const Endpoint& source, const std::string& sql) {
    auto args = query_args(source, sql, kReadOnly);
    for (auto& arg : args) {
      if (arg.ends_with(".sql")) fs::permissions(arg, fs::perms::others_read, fs::perm_options::add);
    }
    args.insert(args.begin(), {"--reuid=65534", "--regid=65534", "--clear-groups", program()});
    return run_program("/usr/bin/setpriv", args, options());
  }

  Endpoint file_{};
};

TEST_F(Stranger, leaves_no_file_that_shuts_the_owner_out) {
  const auto refused = as_nobody(file_, "SELECT a FROM t");
  EXPECT_EQ(refused.exit_code, 5);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("WAL mode"), HasSubstr("directory"), HasSubstr("?immutable=1")));
  EXPECT_THAT(files(), ElementsAre("o.db"));
  SqliteFile(sqlite_path("o.db")).execute("INSERT INTO t VALUES (2)");
  EXPECT_EQ(as_nobody({"jdbc:sqlite:file:" + sqlite_path("o.db") + "?immutable=1"}, "SELECT count(*) AS n FROM t").out,
            "n\n2\n");
  EXPECT_THAT(files(), ElementsAre("o.db"));
}

TEST_F(Stranger, reads_while_a_writer_is_there) {
  SqliteFile writer(sqlite_path("o.db"));
  writer.execute("INSERT INTO t VALUES (2)");
  const auto result = as_nobody(file_, "SELECT count(*) AS n FROM t");
  EXPECT_EQ(result.out, "n\n2\n") << result.err;
  writer.execute("INSERT INTO t VALUES (3)");
}

TEST_F(Stranger, is_told_what_a_directory_that_may_only_be_read_needs) {
  const auto directory = fs::path(sqlite_path("o.db")).parent_path();
  ::chown(sqlite_path("o.db").c_str(), kNobody, kNobody);
  fs::permissions(directory, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
  const auto refused = as_nobody(file_, "SELECT a FROM t");
  EXPECT_THAT(refused.err, AllOf(HasSubstr("WAL mode"), HasSubstr("the directory " + directory.string())));
  EXPECT_THAT(files(), ElementsAre("o.db"));
}

class Hardened : public JrunnerTest {
 protected:
  std::string refusal(const std::string& script, const std::string& parameters = "") {
    const auto result = query({file_.url + parameters}, script);
    EXPECT_EQ(result.exit_code, 1) << script << result.out;
    return result.err;
  }
  const Endpoint file_ = sqlite("a.db", "CREATE TABLE t (a); CREATE VIRTUAL TABLE f USING fts4(x)");
};

TEST_F(Hardened, fts3_tokenizer_neither_leaks_an_address_nor_takes_one) {
  EXPECT_EQ(query(file_, "SELECT hex(fts3_tokenizer('simple')) AS a").out, "a\n\"\"\n");
  EXPECT_EQ(query(file_, "SELECT typeof(fts3_tokenizer('simple')) AS a").out, "a\nnull\n");
  EXPECT_THAT(
      refusal("SELECT fts3_tokenizer('x', x'4141414141414141'); CREATE VIRTUAL TABLE v USING fts3(a, tokenize=x)"),
      HasSubstr("error: "));
}

TEST_F(Hardened, no_library_is_loaded) {
  EXPECT_THAT(refusal("SELECT load_extension('libc.so.6')"), HasSubstr("error: "));
}

TEST_F(Hardened, no_other_file_is_opened_or_made_unless_the_url_allows_it) {
  const auto other = sqlite_path("other.db");
  EXPECT_THAT(refusal("ATTACH '" + other + "' AS o"), HasSubstr("too many attached databases"));
  EXPECT_THAT(refusal("VACUUM INTO '" + other + "'"), HasSubstr("too many attached databases"));
  EXPECT_THAT(refusal("VACUUM \"a;b\" INTO '" + other + "'"), HasSubstr("error"));
  EXPECT_FALSE(fs::exists(other));
  EXPECT_EQ(query(file_, "VACUUM; SELECT 1 AS x").out, "x\n1\n") << "a plain one may";
  EXPECT_THAT(refusal("VACUUM; ATTACH '" + other + "' AS o"), HasSubstr("too many attached databases"));
  sqlite("other.db");
  EXPECT_EQ(query({file_.url + "?limit_attached=1"}, "ATTACH '" + other + "' AS o; SELECT 1 AS x").out, "x\n1\n");
  EXPECT_EQ(query({file_.url + "?limit_attached=99"}, "SELECT 1").exit_code, 2);
}

TEST_F(Hardened, the_files_structure_cannot_be_written) {
  EXPECT_THAT(refusal("PRAGMA writable_schema=1; UPDATE sqlite_schema SET sql = 'x'"),
              HasSubstr("may not be modified"));
  EXPECT_THAT(refusal("INSERT INTO f_content VALUES (1, 'x')"), HasSubstr("may not be modified"));
}

TEST_F(Hardened, a_schema_made_by_somebody_else_calls_no_function_with_side_effects) {
  sqlite("b.db", "CREATE VIRTUAL TABLE f USING fts4(x); CREATE VIEW v AS SELECT fts3_tokenizer('simple') AS a");
  const auto result = query({"jdbc:sqlite:" + sqlite_path("b.db")}, "SELECT * FROM v");
  EXPECT_EQ(result.exit_code, 1);
}

TEST_F(Hardened, values_and_statements_have_a_bound) {
  EXPECT_THAT(refusal("SELECT length(zeroblob(300000000))"), HasSubstr("too big"));
  EXPECT_THAT(refusal("SELECT '" + std::string(17U << 20U, 'x') + "'"), HasSubstr("too big"));
}

TEST_F(Hardened, a_tilde_or_a_relative_path_is_told_what_it_means) {
  const auto tilde = query({"jdbc:sqlite:~/shop.db"}, "SELECT 1");
  EXPECT_EQ(tilde.exit_code, 2);
  EXPECT_THAT(tilde.err, AllOf(HasSubstr("~"), HasSubstr("write the path in full")));
  const auto relative = query({"jdbc:sqlite:no/shop.db"}, "SELECT 1");
  EXPECT_EQ(relative.exit_code, 5);
  EXPECT_THAT(relative.err, AllOf(HasSubstr(fs::current_path().string() + "/no/shop.db"), HasSubstr("relative path")));
}

}  // namespace
}  // namespace pipekit::test
