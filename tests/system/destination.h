// A destination table in the test's own database, and the steps of a run on it, one call for each step.
#pragma once

#include <gtest/gtest.h>

#include <chrono>

#include "tests/system/query_mode.h"
#include "worker/columns.h"
#include "worker/fence.h"

namespace pipekit::test {

using std::chrono::seconds;
using worker::FenceKey;
using worker::MergePlan;
using worker::MergeStrategy;

class Destination {
 public:
  // orders(id, doc, v), with the rows 1, 2 and 3 of document 10 and value "old".
  explicit Destination(std::unique_ptr<TestDatabase> database) : database_(std::move(database)) {
    must(
        "CREATE TABLE orders (id integer NOT NULL PRIMARY KEY, doc integer, v text);\n"
        "INSERT INTO orders VALUES (1, 10, 'old'), (2, 10, 'old'), (3, 10, 'old');\n");
    must(dialect().setup_script(true));
  }

  [[nodiscard]] const worker::Dialect& dialect() const { return database_->dialect(); }
  TestDatabase& database() { return *database_; }

  QueryAnswer run(const std::string& script) { return database_->run(script); }
  void must(const std::string& script) {
    const auto answer = run(script);
    ASSERT_TRUE(answer.ok()) << answer.error << "in: " << script;
  }
  std::string rows(const std::string& table = "orders") {
    return text_of(run("SELECT * FROM " + table + " ORDER BY 1;\n"));
  }

  [[nodiscard]] FenceKey key(int64_t number, int64_t epoch, const std::string& module = "orders") const {
    return {module, dialect().table("orders")->canonical, "S", number, epoch};
  }
  QueryAnswer claim(const FenceKey& key) { return run(dialect().claim_script(key, seconds{60})); }
  QueryAnswer close(const FenceKey& key) { return run(dialect().close_script(key, seconds{60})); }

  // The columns that a merge writes.
  std::vector<worker::Column> columns_of(const worker::TableName& table) {
    const auto facts = worker::read_table(run(dialect().columns_script(table)).csv);
    EXPECT_TRUE(facts) << facts.error().message;
    return facts ? worker::writable(facts->columns) : std::vector<worker::Column>{};
  }

  // The attempt's staging table with the rows 2, 3 and 4 of value `v`.
  MergePlan stage(const FenceKey& key, const std::string& v, MergeStrategy strategy = MergeStrategy::kIncremental) {
    MergePlan plan{.strategy = strategy,
                   .dest = *dialect().table("orders"),
                   .staging = dialect().staging_table(key),
                   .columns = {"id", "doc", "v"},
                   .key = {"id"},
                   .staged_rows = 3};
    must(dialect().create_staging_script(plan.staging, plan.dest, columns_of(plan.dest)));
    must("INSERT INTO " + plan.staging.sql + " VALUES (2, 20, '" + v + "'), (3, 20, '" + v + "'), (4, 20, '" + v +
         "');\n");
    return plan;
  }
  QueryAnswer merge(const FenceKey& key, const MergePlan& plan) { return run(dialect().merge_script(key, plan)); }

 private:
  std::unique_ptr<TestDatabase> database_;
};

inline const std::string kUntouched = "1|10|old\n2|10|old\n3|10|old";

}  // namespace pipekit::test
