// Rows per second of pipekit-jrunner for the four pairs of databases, compared with tools that everybody has: psql's
// COPY and the sqlite3 shell. Both use loopback TCP with a password and are measured from start to exit.
#include <fmt/format.h>
#include <sys/resource.h>

#include <filesystem>
#include <stdexcept>

#include "bench/benchmark.h"
#include "bench/stopwatch.h"
#include "bench/user_database.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/run_program.h"

namespace pipekit::bench {
namespace {

constexpr auto kColumns = "id, account, pieces, price, total, name, town, remark, code, day, at, paid";
constexpr auto kPostgresTable =
    "(id bigint NOT NULL, account integer NOT NULL, pieces integer, price numeric(15,4) NOT NULL, total numeric(15,4),"
    " name varchar(40) NOT NULL, town varchar(40), remark varchar(40), code char(10) NOT NULL, day date NOT NULL,"
    " at timestamp, paid boolean)";
constexpr auto kSqliteTable =
    "(id INTEGER NOT NULL, account INTEGER NOT NULL, pieces INTEGER, price NUMERIC NOT NULL, total NUMERIC,"
    " name TEXT NOT NULL, town TEXT, remark TEXT, code TEXT NOT NULL, day TEXT NOT NULL, at TEXT, paid INTEGER)";

// Twelve columns of the usual types, including NULLs, empty strings, quotes, line breaks and non-ASCII letters. Each
// value depends only on the number of the row.
std::string fill(int64_t rows) {
  return fmt::format(
      R"(INSERT INTO src SELECT n, n % 90001, CASE WHEN n % 17 > 0 THEN n % 640 END, (n * 7919 % 80000000) / 10000.0,
 CASE WHEN n % 13 > 0 THEN (n * 104729 % 9000000000 - 4000000000) / 10000.0 END, 'Customer ' || md5(n::text)::varchar(24),
 CASE n % 9 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'Århus' WHEN 3 THEN 'Praha, 1' WHEN 4 THEN '北京' ELSE 'Bremen' END,
 CASE n % 11 WHEN 0 THEN NULL WHEN 1 THEN NULL WHEN 2 THEN 'a "quoted" word' WHEN 3 THEN E'two\nlines'
   ELSE left(md5((n * 3)::text), (n % 32)::int) END,
 upper(left(md5((n * 5)::text), 4 + (n % 6)::int)), date '1990-01-01' + (n % 12000)::int,
 CASE WHEN n % 19 > 0 THEN timestamp '2000-01-01' + n * interval '611.25 seconds' END, CASE WHEN n % 23 > 0 THEN n % 3 = 0 END
FROM generate_series(1::bigint, {}) n)",
      rows);
}

class Databases {
 public:
  explicit Databases(int64_t rows)
      : rows_(rows),
        cluster_({.durable = true, .parent = std::filesystem::temp_directory_path()}),
        session_(cluster_.conninfo()) {
    session_.query(fmt::format("CREATE TABLE src {0}; CREATE TABLE dst {0}", kPostgresTable));
    session_.query(fill(rows));
    session_.query("VACUUM ANALYZE src");
    execute_sqlite(source(), fmt::format("CREATE TABLE dst {}", kSqliteTable));
    run(runner("postgres", postgres_url(), sqlite_url(source())), "filling the SQLite source");
    execute_sqlite(source(), "ALTER TABLE dst RENAME TO src");
  }

  void empty() {
    session_.query("TRUNCATE dst; CHECKPOINT");
    for (const auto* suffix : {"", "-journal", "-wal"}) std::filesystem::remove(destination() + suffix);
    execute_sqlite(destination(), fmt::format("CREATE TABLE dst {}", kSqliteTable));
  }

  struct Took {
    double wall_s = 0;
    double cpu_s = 0;  // of the processes of the command, not of the server
  };
  Took run(const std::string& shell_command, const std::string& what) {
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_CHILDREN, &before);
    const Stopwatch watch;
    const auto result = test::run_program("bash", {"-o", "pipefail", "-c", shell_command},
                                          {.env = environment(), .deadline = kPatience});
    const double wall = watch.seconds();
    ::getrusage(RUSAGE_CHILDREN, &after);
    if (result.exit_code != 0) throw std::runtime_error(what + ": " + result.err);
    return {wall, cpu(after) - cpu(before)};
  }

  [[nodiscard]] std::string runner(const std::string& source_user, const std::string& from,
                                   const std::string& to) const {
    const bool to_postgres = to.starts_with("jdbc:postgresql");
    const auto script = dir_.write("query.sql", fmt::format("SELECT {} FROM src", kColumns));
    return fmt::format("'{}' -scu '{}' {} -dcu '{}' {} -sq '{}' -dt dst", test::program_path("pipekit-jrunner"), from,
                       source_user.empty() ? "" : "-scn postgres -scp env:PGPASSWORD", to,
                       to_postgres ? "-dcn postgres -dcp env:PGPASSWORD" : "", script);
  }

  [[nodiscard]] std::string postgres_url() const { return cluster_.jdbc_url(); }
  static std::string sqlite_url(const std::string& file) { return "jdbc:sqlite:" + file; }
  [[nodiscard]] std::string source() const { return dir_.file("source.db"); }
  [[nodiscard]] std::string destination() const { return dir_.file("destination.db"); }

  void check(bool postgres) {
    const auto found = postgres ? session_.value("SELECT count(*) FROM dst")
                                : test::run_program("sqlite3", {destination(), "SELECT count(*) FROM dst"}).out;
    if (std::stoll(found) != rows_) throw std::runtime_error(fmt::format("{} rows arrived of {}", found, rows_));
  }

 private:
  static constexpr std::chrono::seconds kPatience{300};

  static double cpu(const rusage& usage) {
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  [[nodiscard]] std::vector<std::string> environment() const {
    return {"PGHOST=127.0.0.1", "PGPORT=" + std::to_string(cluster_.port()), "PGUSER=" + cluster_.user(),
            "PGPASSWORD=" + cluster_.password(), "PGDATABASE=postgres"};
  }

  int64_t rows_;
  test::TempDir dir_;
  test::PostgresCluster cluster_;
  test::PostgresSession session_;
};

struct Way {
  std::string pair;
  std::string tool;
  std::string command;
  bool to_postgres;
};

std::vector<Way> ways(const Databases& databases) {
  const std::string psql = "psql -XqAt -v ON_ERROR_STOP=1 -c ";
  const auto select = fmt::format("SELECT {} FROM src", kColumns);
  const auto from = Databases::sqlite_url(databases.source());
  const auto to = Databases::sqlite_url(databases.destination());
  const auto pg = databases.postgres_url();
  const auto read_values = [](std::string columns) {  // "+id" is a value, "id" the bytes of the stored row
    for (size_t at = 0; (at = columns.find(", ", at)) != std::string::npos; at += 3) columns.insert(at + 2, "+");
    return "+" + columns;
  };
  return {
      {"pg-pg", "jrunner", databases.runner("postgres", pg, pg), true},
      {"pg-pg", "copy", psql + "'COPY src TO STDOUT' | " + psql + "'COPY dst FROM STDIN'", true},
      {"sqlite-pg", "jrunner", databases.runner("", from, pg), true},
      {"sqlite-pg", "copy",
       fmt::format("sqlite3 -csv -readonly '{}' '{}' | {}'COPY dst FROM STDIN (FORMAT csv)'", databases.source(),
                   select, psql),
       true},
      {"pg-sqlite", "jrunner", databases.runner("postgres", pg, to), false},
      {"pg-sqlite", "copy",
       fmt::format("{}'COPY src TO STDOUT (FORMAT csv)' | sqlite3 '{}' '.import --csv /dev/stdin dst'", psql,
                   databases.destination()),
       false},
      {"sqlite-sqlite", "jrunner", databases.runner("", from, to), false},
      {"sqlite-sqlite", "copy",
       fmt::format("sqlite3 '{}' \"ATTACH '{}' AS s; INSERT INTO dst SELECT {} FROM s.src\"", databases.destination(),
                   databases.source(), read_values(kColumns)),
       false},
  };
}

std::vector<Line> round(const Sizes& sizes) {
  Databases databases(sizes.rows);
  std::vector<Line> lines;
  for (const auto& way : ways(databases)) {
    databases.empty();
    const auto took = databases.run(way.command, way.pair + " by " + way.tool);
    databases.check(way.to_postgres);
    const auto rows = static_cast<double>(sizes.rows);
    lines.push_back({way.pair + " " + way.tool,
                     {{"path", way.pair}, {"tool", way.tool}},
                     {{"rows", rows}, {"wall_s", took.wall_s}, {"rows_s", rows / took.wall_s}, {"cpu_s", took.cpu_s}}});
  }
  return lines;
}

Figure figure(const std::string& pair, const std::string& label, const std::string& beside) {
  return {pair + " jrunner", "rows_s", label, "rows/s", pair + " copy", "rows_s", beside};
}

}  // namespace

Benchmark transfer_benchmark() {
  return {"transfer",
          "Rows of 12 columns by pipekit-jrunner, from start to exit",
          {
              figure("pg-pg", "PostgreSQL to PostgreSQL", "psql COPY | psql COPY"),
              figure("sqlite-pg", "SQLite to PostgreSQL", "sqlite3 -csv | psql COPY"),
              figure("pg-sqlite", "PostgreSQL to SQLite", "psql COPY | sqlite3 .import"),
              figure("sqlite-sqlite", "SQLite to SQLite", "sqlite3 ATTACH, INSERT"),
          },
          round};
}

}  // namespace pipekit::bench
