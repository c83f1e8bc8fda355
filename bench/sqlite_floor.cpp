#include "bench/sqlite_floor.h"

#include <chrono>
#include <functional>
#include <vector>

#include "bench/stopwatch.h"
#include "bench/summary.h"
#include "broker/store/database.h"

namespace pipekit::bench {
namespace {

// Repeats `work` for some time; the seconds that each call took.
std::vector<double> repeat(double seconds, const std::function<void()>& work) {
  for (int i = 0; i < 20; ++i) work();
  std::vector<double> took;
  for (const Stopwatch all; all.seconds() < seconds;) {
    const Stopwatch one;
    work();
    took.push_back(one.seconds());
  }
  return took;
}

double per_second(const std::vector<double>& took) {
  double total = 0;
  for (const auto one : took) total += one;
  return static_cast<double>(took.size()) / total;
}

}  // namespace

std::map<std::string, double> sqlite_floor(const std::string& directory, double seconds) {
  store::Database db(directory + "/floor.db", store::Database::Mode::read_write);
  db.execute_script(
      "CREATE TABLE job (id INTEGER PRIMARY KEY, state INTEGER, body BLOB) STRICT;"
      "CREATE TABLE line (id INTEGER PRIMARY KEY, body BLOB) STRICT;");
  const std::string job(200, 'j');
  const std::string line(120, 'l');
  int64_t id = 0;
  const auto in_transaction = [&](int count, const std::function<void()>& work) {
    db.run("BEGIN IMMEDIATE");
    for (int i = 0; i < count; ++i) work();
    db.run("COMMIT");
  };
  const auto insert = [&] { db.run("INSERT INTO job VALUES (?, 0, ?)", ++id, store::Blob{job}); };
  const auto hundreds = repeat(seconds, [&] {
    in_transaction(100, [&] {
      insert();
      db.run("UPDATE job SET state = 2 WHERE id = ?", id - 100);
    });
  });
  const auto thousands = repeat(
      seconds, [&] { in_transaction(1000, [&] { db.run("INSERT INTO line (body) VALUES (?)", store::Blob{line}); }); });
  // Last, when the WAL has its full length: while it grows, a commit also waits for the file system.
  const auto commits = repeat(seconds, [&] { in_transaction(1, insert); });
  return {{"sqlite_commits_per_s", per_second(commits)},
          {"sqlite_commit_p50_us", percentile(commits, 50) * 1e6},
          {"sqlite_jobs_per_s", per_second(hundreds) * 100},
          {"sqlite_lines_per_s", per_second(thousands) * 1000}};
}

}  // namespace pipekit::bench
