// Runs that cannot succeed: each fails with an error that says why, the destination is unchanged, and nothing is left
// over.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/small_disk.h"
#include "tests/system/site.h"

namespace pipekit::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// What the runner does instead of its work, by a word in the module's name; without MIGRATION it is a query.
constexpr auto kActs = R"(
script="${arguments[@]: -3:1}"
word=$(grep -oh 'ACT_[A-Z_]*[A-Z]' "$script" 2> /dev/null | head -n 1)
case "$MIGRATION$word" in
1ACT_NO_COUNT) real > /dev/null;;
1ACT_COUNT_ON_STDERR) real >&2;;
1ACT_WRONG_COUNT) real > /dev/null; echo '5 rows';;
1ACT_LOADS_NOTHING) echo '3 rows';;
1ACT_KILLED) kill -KILL $$;;
1ACT_FAILS) echo loading; echo the disk is on fire >&2; exit 7;;
1ACT_FAILS_SILENTLY) exit 3;;
1ACT_FAILS_AFTER_LOADING) real; exit 9;;
1ACT_HANGS) sleep 1000 & sleep 1000;;
1ACT_GATED) echo at the gate; read < "$GATE"; real;;
ACT_QUERY_SILENT) ;;
ACT_QUERY_NO_HEADER) real | tail -n +2;;
ACT_QUERY_BINARY) printf '\000\377"\n';;
ACT_QUERY_FAILS) exit 3;;
ACT_QUERY_ENDLESS) yes;;
ACT_QUERY_OTHER_COLUMNS) printf 'a,b\n1,2\n';;
*) real;;
esac)";

// A port that refuses connections: bound, but not listening.
class ClosedPort {
 public:
  ClosedPort() : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(fd_.get(), generic, size) != 0 || ::getsockname(fd_.get(), generic, &size) != 0) {
      throw std::runtime_error("no free port");
    }
    port_ = ntohs(address.sin_port);
  }
  [[nodiscard]] std::string text() const { return std::to_string(port_); }

 private:
  UniqueFd fd_;
  int port_ = 0;
};

class BadRun : public ::testing::TestWithParam<BadInput> {
 protected:
  static void SetUpTestSuite() {
    site_ = std::make_unique<Site>();
    site_->start_worker();
    const auto gate = site_->file("gate");
    ::mkfifo(gate.c_str(), 0600);
    site_->start_worker({.jrunner = stand_in_runner(site_->system(), kActs),
                         .kill_grace_s = 0.2,
                         .args = {"--tag", "odd"},
                         .env = {"GATE=" + gate}},
                        "w2");
    port_ = std::make_unique<ClosedPort>();
  }
  static void TearDownTestSuite() {
    site_.reset();
    postgres_.reset();
  }
  static std::unique_ptr<Site> site_;

 public:
  static UserDatabase& postgres() {
    if (!postgres_) {
      postgres_ = new_postgres();
      postgres_->execute(kOrders);
    }
    return *postgres_;
  }
  static std::string closed_port() { return port_->text(); }

 private:
  static std::unique_ptr<UserDatabase> postgres_;
  static std::unique_ptr<ClosedPort> port_;
};
std::unique_ptr<Site> BadRun::site_;
std::unique_ptr<UserDatabase> BadRun::postgres_;
std::unique_ptr<ClosedPort> BadRun::port_;

std::string name_of(const ::testing::TestParamInfo<BadInput>& info) { return info.param.name; }

TEST_P(BadRun, ends_in_error) { expect_refused(*site_, GetParam()); }

struct BadModule {
  std::string source = "src";
  std::string dest = "dst";
  std::string table = "orders";
  std::string query = "SELECT id, customer, total FROM orders";
  std::string more{};  // further fields, as ", timeout_s: 1"
};

std::string definition(const std::string& name, const BadModule& module) {
  return "modules:\n  - {name: " + name + ", source_connection: " + module.source +
         ", dest_connection: " + module.dest + ", dest_table: " + module.table +
         ", merge_strategy: full, source_query: \"" + module.query + "\"" + module.more + "}\n";
}

// `connections`: created when the test runs, because the databases they name are.
BadInput run_of(
    const std::string& name, const BadModule& module, const Words& says, const Words& never = {},
    const std::function<std::string()>& connections = [] { return std::string(); }) {
  return {name, {"run", name, "--watch"}, "", 4, says, never, [=](Site& site) {
            site.apply(connections() + definition(name, module));
          }};
}

std::string wrong_password() {
  auto text = BadRun::postgres().definition("wrong");
  const std::string right = "$TEST_PG_PASSWORD";
  return text.replace(text.find(right), right.size(), "$WRONG_PASSWORD");
}
std::string unset_variable() {
  return "  - {name: unset, driver: sqlite, jdbc_url: \"jdbc:sqlite:x\", username: u, password: $NOT_SET}\n";
}
std::string unreachable() {
  return "  - {name: away, driver: postgresql, jdbc_url: \"jdbc:postgresql://127.0.0.1:" + BadRun::closed_port() +
         "/wh\", username: u, password: $TEST_PG_PASSWORD}\n";
}
std::string no_such_file() { return "  - {name: nofile, driver: sqlite, jdbc_url: \"jdbc:sqlite:/nowhere/a.db\"}\n"; }
std::string postgres() { return BadRun::postgres().definition("pg"); }

INSTANTIATE_TEST_SUITE_P(
    Connection, BadRun,
    ::testing::Values(
        run_of("variable_unset", {.source = "unset"},
               {"connection unset", "NOT_SET is missing in the worker's environment",
                "hint: set NOT_SET in the worker's secrets file"},
               {}, unset_variable),
        BadInput{"variable_unset_in_a_test",
                 {"connection", "test", "unset"},
                 "",
                 5,
                 {"connection unset", "NOT_SET is missing in the worker's environment",
                  "hint: set NOT_SET in the worker's secrets file"},
                 {},
                 [](Site& site) { site.apply(unset_variable()); }},
        run_of("database_away", {.source = "away"}, {"reading from away failed", "refused"}, {"s3cret"}, unreachable),
        run_of("destination_away", {.dest = "away"}, {"cannot lock \"orders\" on away", "refused"}, {"s3cret"},
               unreachable),
        BadInput{"database_away_in_a_test",
                 {"connection", "test", "away"},
                 "",
                 5,
                 {"connection away", "refused"},
                 {"s3cret"},
                 [](Site& site) { site.apply(unreachable()); }},
        run_of("password_wrong", {.dest = "wrong"},
               {"cannot lock \"orders\" on wrong", "password authentication failed for user \"postgres\""},
               {"wr0ng", "s3cret"}, wrong_password),
        BadInput{"password_wrong_in_a_test",
                 {"connection", "test", "wrong"},
                 "",
                 5,
                 {"connection wrong", "password authentication failed"},
                 {"wr0ng", "s3cret"},
                 [](Site& site) { site.apply(wrong_password()); }},
        run_of("file_missing", {.source = "nofile"}, {"reading from nofile failed", "/nowhere/a.db"}, {},
               no_such_file)),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    Statement, BadRun,
    ::testing::Values(
        run_of("query_fails_half_way",
               {.query = "SELECT id, customer, CASE id WHEN 3 THEN abs(-9223372036854775807 - 1) END FROM orders"},
               {"reading from src failed", "integer overflow"}),
        run_of("query_is_no_sql", {.query = "SELEC 1"}, {"reading from src failed", "syntax error"}),
        run_of("source_table_missing", {.query = "SELECT 1, 2, 3 FROM nowhere"}, {"no such table: nowhere"}),
        run_of("table_missing", {.table = "nowhere"},
               {"the destination table \"nowhere\" does not exist on dst", "hint: create it first"}),
        run_of("too_few_columns", {.query = "SELECT id, customer FROM orders"},
               {"transfer from src to dst failed", "the query has 2 columns", "has 3"}),
        run_of("too_many_columns", {.query = "SELECT id, customer, total, 4 FROM orders"},
               {"transfer from src to dst failed", "the query has 4 columns", "has 3"}),
        run_of("column_of_another_type", {.query = "SELECT customer, customer, total FROM orders"},
               {"writing to dst failed", "row 1, column id: ", "is not a number"}),
        run_of("column_of_another_type_in_postgresql",
               {.dest = "pg", .query = "SELECT id, customer, coalesce(customer, 'x') FROM orders"},
               {"writing to pg failed", "numeric"}, {}, postgres),
        BadInput{"preview_of_a_query_that_is_no_sql",
                 {"module", "preview", "no_sql"},
                 "",
                 4,
                 {"source query", "syntax error"},
                 {},
                 [](Site& site) { site.apply(definition("no_sql", {.query = "SELEC 1"})); }},
        BadInput{"preview_of_a_table_missing",
                 {"module", "preview", "no_table"},
                 "",
                 4,
                 {"\"nowhere\" does not exist on dst", "create it first"},
                 {},
                 [](Site& site) { site.apply(definition("no_table", {.table = "nowhere"})); }},
        run_of("watermark_query_fails",
               {.query = "SELECT id, customer, total FROM orders WHERE id > {low}",
                .more = ", watermarks: [{name: low, connection: dst, resolver_sql: SELECT missing}]"},
               {"watermark low", "no such column: missing"})),
    name_of);

std::string odd_source() {
  return "  - {name: odd, driver: sqlite, jdbc_url: \"jdbc:sqlite:SRC\", required_tags: [odd]}\n";
}

// On w2, because of the tag.
BadInput runner_that(const std::string& name, const Words& says, const std::string& more = {}) {
  return {name, {"run", "ACT_" + name, "--watch"}, "", 4, says, {}, [=](Site& site) {
            auto odd = odd_source();
            odd.replace(odd.find("SRC"), 3, site.file("src.db"));
            const BadModule module{
                .source = "odd", .query = "SELECT id, customer, total FROM orders -- ACT_" + name, .more = more};
            site.apply(odd + definition("ACT_" + name, module));
          }};
}

INSTANTIATE_TEST_SUITE_P(
    Runner, BadRun,
    ::testing::Values(
        runner_that("NO_COUNT", {"exited 0 but printed no number of rows", "row_count_pattern"}),
        runner_that("COUNT_ON_STDERR", {"exited 0 but printed no number of rows"}),
        runner_that("WRONG_COUNT", {"the runner reported 5 rows, staging has 3", "row_count_pattern"}),
        runner_that("LOADS_NOTHING", {"the runner reported 3 rows, staging has 0"}),
        runner_that("KILLED", {"the runner killed by signal 9"}),
        runner_that("FAILS", {"transfer from odd to dst failed: the disk is on fire"}),
        runner_that("FAILS_SILENTLY", {"transfer from odd to dst failed: the runner exited with code 3", "hint: "}),
        runner_that("FAILS_AFTER_LOADING", {"transfer from odd to dst failed: the runner exited with code 9"}),
        runner_that("HANGS", {"timed out after 1 s (timeout_s)"}, ", timeout_s: 1"),
        runner_that("QUERY_SILENT",
                    {"cannot lock \"orders\" on dst", "not CSV", "hint: the runner does not keep its contract"}),
        runner_that("QUERY_NO_HEADER",
                    {"cannot lock \"orders\" on dst", "hint: the runner does not keep its contract"}),
        runner_that("QUERY_BINARY", {"cannot lock \"orders\" on dst", "hint: the runner does not keep its contract"}),
        runner_that("QUERY_FAILS", {"cannot lock \"orders\" on dst: the runner exited with code 3", "hint: "}),
        runner_that("QUERY_ENDLESS",
                    {"cannot lock \"orders\" on dst: the runner printed more than an answer may have"}),
        runner_that("QUERY_OTHER_COLUMNS",
                    {"cannot lock \"orders\" on dst", "store in row 1 is missing", "its contract"})),
    name_of);

INSTANTIATE_TEST_SUITE_P(Runner_missing, BadRun,
                         ::testing::Values(BadInput{
                             "since_the_worker_started",
                             {"run", "lone", "--watch"},
                             "",
                             4,
                             {"cannot lock \"orders\" on dst", "cannot execute", "gone.sh: No such file",
                              "hint: check that it is installed"},
                             {},
                             [](Site& site) {
                               const auto runner = site.system().write_script("gone.sh", "#!/bin/sh\nexit 0\n");
                               site.start_worker({.jrunner = runner, .args = {"--tag", "gone"}}, "w3");
                               std::filesystem::remove(runner);
                               site.apply(
                                   "  - {name: far, driver: sqlite, jdbc_url: \"jdbc:sqlite:" + site.file("src.db") +
                                   "\", required_tags: [gone]}\n" + definition("lone", {.source = "far"}));
                             }}),
                         name_of);

// A run continues with the definition that it started with, and its module's lock remains until it ends.
TEST_F(BadRun, a_module_that_is_removed_or_edited_while_it_runs_disturbs_nothing) {
  for (const auto& change : {Words{"module", "remove", "ACT_GATED", "--yes"},
                             Words{"module", "update", "ACT_GATED", "--source-query", "SELECT 'edited'"},
                             Words{"module", "disable", "ACT_GATED"}}) {
    runner_that("GATED", {}).arrange(*site_);
    RunningProgram watched(program_path("pipekit-ctl"), site_->ctl_args({"run", "ACT_GATED", "--watch"}));
    watched.wait_for_out("at the gate");
    EXPECT_FALSE(site_->processes_of_runs().empty()) << "the check for what is left would see nothing";
    EXPECT_EQ(site_->ctl(change).exit_code, 0) << change[1];
    const auto changed = site_->export_all();
    std::ofstream(site_->file("gate")) << "go\n";
    EXPECT_EQ(watched.wait().exit_code, 0) << change[1] << watched.out();
    EXPECT_EQ(site_->export_all(), changed);
    site_->expect_free();
  }
}

TEST_F(BadRun, a_full_disk_under_the_destination_is_told_and_the_next_run_finds_nothing_of_it) {
  const SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  const auto small = new_sqlite(disk.path() / "small.db");
  small->execute("CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (7, 'old')");
  const auto module = [](const std::string& rows) {
    return definition("large", {.dest = "small",
                                .table = "t",
                                .query = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                                         rows + ") SELECT i, hex(zeroblob(100)) FROM n"});
  };
  expect_refused(*site_,
                 {"full", {"run", "large", "--watch"}, "", 4, {"writing to small failed", "full"}, {}, [&](Site& site) {
                    site.apply(small->definition("small") + module("100000"));
                  }});
  EXPECT_EQ(small->rows("SELECT * FROM t"), "7|old");
  site_->apply(module("3"));
  EXPECT_EQ(site_->ctl({"run", "large", "--watch"}).exit_code, 0);
  EXPECT_EQ(small->rows("SELECT id FROM t"), "1\n2\n3");
  EXPECT_EQ(small->staging_tables(), "");
}

}  // namespace
}  // namespace pipekit::test
