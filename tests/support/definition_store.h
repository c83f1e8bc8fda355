// A migrated store in a temporary directory, with two connections, "erp" and "warehouse", and two modules, "orders"
// (incremental, watermark last_id, one hook) and "customers" (full).
#pragma once

#include "broker/definitions/apply.h"
#include "broker/store/database.h"
#include "broker/store/migrations.h"
#include "shared/clock.h"
#include "tests/support/temp_dir.h"

namespace pipekit::test {

inline const Json& sample_document() {
  static const Json document = Json::parse(R"({
    "connections": [
      {"name": "erp", "driver": "sqlite", "jdbc_url": "jdbc:sqlite:/data/erp.db"},
      {"name": "warehouse", "driver": "postgresql", "jdbc_url": "jdbc:postgresql://127.0.0.1:5432/wh",
       "username": "pipekit", "password": "$WH_PASSWORD", "required_tags": ["site:plant2"], "max_sessions": 4}],
    "modules": [
      {"name": "orders", "source_connection": "erp", "dest_connection": "warehouse", "dest_table": "sales.orders",
       "source_query": "SELECT id FROM orders WHERE id > {last_id}", "merge_strategy": "incremental", "merge_key": "id",
       "timeout_s": 3600, "min_rows": 1,
       "watermarks": [{"name": "last_id", "connection": "warehouse", "resolver_sql": "SELECT max(id) FROM sales.orders",
                       "default_value": "0"}],
       "hooks": [{"run_order": 1, "connection": "warehouse", "sql": "ANALYZE sales.orders"}]},
      {"name": "customers", "source_connection": "erp", "dest_connection": "warehouse",
       "dest_table": "sales.customers", "source_query": "SELECT * FROM customers", "merge_strategy": "full"}],
    "groups": [
      {"name": "nightly", "members": ["orders", "customers"],
       "schedules": [{"cron_expr": "0 20 2 * * *", "timezone": "America/New_York"},
                     {"kind": "interval", "every_s": 3600}]}]})");
  return document;
}

// Both halves of an apply.
inline definitions::Plan apply(store::Database& db, const Json& document, WallTime now, bool prune = false) {
  auto plan = definitions::plan(db, document, prune);
  if (plan.problems.empty()) definitions::carry_out(db, plan, now);
  return plan;
}

class DefinitionStore {
 public:
  DefinitionStore() : db(dir.file("pipekit.db"), store::Database::Mode::read_write) {
    db.execute_script("PRAGMA synchronous=OFF");  // the data need not survive the process
    if (const auto made = store::migrate(db); !made) throw std::runtime_error(made.error().message);
  }

  TempDir dir{memory_directory()};
  store::Database db;
  WallTime now = from_ms(1'772'330'400'000);  // 2026-03-01T02:00:00Z
};

}  // namespace pipekit::test
