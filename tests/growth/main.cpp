// large-store FILE: makes a store as large as years of use make it, to measure on and to try things with.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "broker/store/migrations.h"
#include "shared/clock.h"
#include "tests/growth/large_store.h"

int main(int argc, char** argv) {
  using pipekit::store::Database;
  CLI::App app{"Fill a new store with definitions, runs, logs and group runs.", "large-store"};
  std::string file;
  pipekit::test::StoreSize size;
  app.add_option("FILE", file, "pipekit.db of a data directory; must not exist")->required();
  app.add_option("--modules", size.modules)->capture_default_str();
  app.add_option("--groups", size.groups)->capture_default_str();
  app.add_option("--schedules", size.schedules)->capture_default_str();
  app.add_option("--runs", size.runs)->capture_default_str();
  app.add_option("--lines-per-run", size.lines_per_run)->capture_default_str();
  app.add_option("--group-runs", size.group_runs)->capture_default_str();
  app.add_option("--failed-percent", size.failed_percent)->capture_default_str();
  app.add_option("--removed-modules", size.removed_modules)->capture_default_str();
  app.add_option("--live", size.live, "queued runs")->capture_default_str();
  app.add_option("--free-mib", size.free_mib, "on the free list")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (std::filesystem::exists(file)) {
    fmt::print(stderr, "error: {} exists already\n", file);
    return 2;
  }
  const auto began = std::chrono::steady_clock::now();
  Database db(file, Database::Mode::read_write);
  if (const auto made = pipekit::store::migrate(db); !made) {
    fmt::print(stderr, "error: {}\n", made.error().message);
    return 1;
  }
  pipekit::test::fill(db, size, pipekit::SystemClock().wall());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  fmt::print("{}: {} MiB in {:.0f} s\n", file, std::filesystem::file_size(file) >> 20U, took.count());
  return 0;
}
