// The watermarks that the documents show, on data that is as data is: rows with the same time or number, rows without
// one, rows that arrive late, other time zones. None is lost, and no run reads everything again.
#include <fstream>

#include "tests/system/document.h"
#include "tests/system/flow_fixture.h"

namespace pipekit::test {
namespace {

std::string document_file(const std::string& document, const std::string& name) {
  for (const auto& step : read_document(read_file(PIPEKIT_SOURCE_DIR "/" + document))) {
    const auto* file = std::get_if<DocumentFile>(&step);
    if (file != nullptr && file->name == name) return file->content;
  }
  throw std::runtime_error(document + " has no file " + name);
}

// From its list of modules on: the connections are the test's own.
std::string modules_of(const std::string& text) { return text.substr(text.find("modules:")); }

// value: 1 to 1000.
constexpr auto kNumbers =
    " WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 1000) SELECT ";

class WatermarkExample : public FlowTest {
 protected:
  WatermarkExample() { start_worker(); }

  void use(const std::string& modules) {
    std::string text = "connections:\n";
    for (const auto& [name, database] : databases_) text += database->definition(name);
    const auto result = ctl({"apply", "-f", system_.dir().write("example.yaml", text + modules)});
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  UserDatabase& sqlite(const std::string& name) {
    return *databases_.emplace_back(name, new_sqlite(file(name + ".db"))).second;
  }
  UserDatabase& postgres(const std::string& name) { return *databases_.emplace_back(name, new_postgres()).second; }

  int64_t moved(const std::string& module) {
    const auto ended = run(module);
    EXPECT_THAT(ended, Ended("success"));
    EXPECT_TRUE(ended["defaulted"].empty());
    return ended["row_count"].is_number() ? ended["row_count"].get<int64_t>() : -1;
  }

  std::vector<std::pair<std::string, std::unique_ptr<UserDatabase>>> databases_;
};

TEST_F(WatermarkExample, of_the_readme_loses_no_row_with_the_same_number) {
  auto& shop = sqlite("shop");
  auto& warehouse = sqlite("warehouse");
  const std::string table =
      "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total NUMERIC, changed INTEGER NOT NULL)";
  shop.execute(table);
  warehouse.execute(table);
  shop.execute(std::string("INSERT INTO orders") + kNumbers + "value, 'c', 1, value FROM n");
  use(modules_of(document_file("README.md", "/tmp/orders.yaml")));
  const std::string all = "SELECT id, customer, total, changed FROM orders ORDER BY id";
  EXPECT_EQ(moved("orders"), 1000);
  EXPECT_EQ(moved("orders"), 1) << "the newest row";
  shop.execute("INSERT INTO orders VALUES (1001, 'late', 2, 1000)");
  shop.execute("UPDATE orders SET total = 3, changed = 1000 WHERE id = 5");
  EXPECT_EQ(moved("orders"), 3);
  EXPECT_EQ(warehouse.rows(all), shop.rows(all));
}

TEST_F(WatermarkExample, of_the_manual_with_times_loses_no_late_row_and_none_without_a_time) {
  auto& shop = sqlite("shop");
  auto& warehouse = sqlite("warehouse");
  for (auto* database : {&shop, &warehouse}) {
    database->execute(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, total NUMERIC, changed_at TEXT)");
    database->execute("CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT)");
  }
  shop.execute(std::string("INSERT INTO orders") + kNumbers +
               "value, 1, 1, datetime('2026-03-01', value || ' minutes') FROM n");
  shop.execute("INSERT INTO orders VALUES (2001, 1, 1, NULL)");
  use(modules_of(document_file("docs/OPERATING.md", "shop.yaml")));
  const std::string all = "SELECT * FROM orders ORDER BY id";
  EXPECT_EQ(moved("orders"), 1001);
  EXPECT_EQ(moved("orders"), 12) << "ten minutes, both ends included, and the row without a time";
  shop.execute("INSERT INTO orders SELECT 3000, 2, 1, max(changed_at) FROM orders");
  shop.execute("INSERT INTO orders SELECT 3001, 2, 1, datetime(max(changed_at), '-9 minutes') FROM orders");
  shop.execute("INSERT INTO orders VALUES (3002, 2, 1, NULL)");
  EXPECT_EQ(moved("orders"), 15);
  EXPECT_EQ(warehouse.rows(all), shop.rows(all));
}

// Rows around a daylight-saving change in the session's own zone, from sessions of other zones.
void fill(UserDatabase& shop, const std::string& database_zone) {
  shop.execute("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''" + database_zone +
               "''', current_database()); END $$");
  shop.execute("CREATE TABLE orders (id int PRIMARY KEY, total numeric, changed_at timestamptz)");
  shop.execute(
      "INSERT INTO orders SELECT g, 1, timestamptz '2026-03-08 01:00:00-05' + g * interval '1 minute' FROM "
      "generate_series(1, 1000) g");
  shop.execute("INSERT INTO orders VALUES (2001, 1, NULL)");
}

void add_late(UserDatabase& shop) {
  shop.execute("INSERT INTO orders SELECT 3000, 2, max(changed_at) FROM orders");
  shop.execute("INSERT INTO orders SELECT 3001, 2, max(changed_at) - interval '9 minutes 30 seconds' FROM orders");
  shop.execute("SET TimeZone = 'Asia/Kathmandu'");
  shop.execute(
      "INSERT INTO orders SELECT 3002, 2, (max(changed_at) + interval '1 second')::text::timestamptz FROM orders");
  shop.execute("INSERT INTO orders VALUES (3003, 2, NULL)");
}

TEST_F(WatermarkExample, of_the_manual_from_postgresql_to_sqlite_is_right_in_any_time_zone) {
  for (const std::string zone : {"UTC", "America/New_York", "Asia/Kolkata"}) {
    databases_.clear();
    auto& shop = postgres("shop_pg");
    auto& warehouse = databases_.emplace_back("warehouse", new_sqlite(file(zone.substr(0, 3) + ".db"))).second;
    fill(shop, zone);
    warehouse->execute("CREATE TABLE orders_utc (id INTEGER PRIMARY KEY, total NUMERIC, changed_at TEXT)");
    use(document_file("docs/OPERATING.md", "zone.yaml"));
    // The module has succeeded before in another zone, and its table is empty: as in a first run.
    EXPECT_THAT(run("orders_utc", {{"set", {{"seen", "1970-01-01 00:00:00"}}}}), Ended("success"));
    EXPECT_EQ(warehouse->rows("SELECT count(*) FROM orders_utc"), "1001");
    EXPECT_EQ(moved("orders_utc"), 12) << zone;
    add_late(shop);
    EXPECT_EQ(moved("orders_utc"), 16) << zone;
    EXPECT_EQ(
        warehouse->rows("SELECT id, changed_at FROM orders_utc ORDER BY id"),
        shop.rows(
            "SELECT id, to_char(changed_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') FROM orders ORDER BY id"));
  }
}

TEST_F(WatermarkExample, of_the_manual_from_postgresql_to_postgresql_is_right_in_any_time_zone) {
  auto& shop = postgres("shop_pg");
  auto& warehouse = postgres("warehouse_pg");
  fill(shop, "America/New_York");
  warehouse.execute(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Kolkata''', current_database()); END $$");
  warehouse.execute("CREATE TABLE orders (id int PRIMARY KEY, total numeric, changed_at timestamptz)");
  use(document_file("docs/OPERATING.md", "zone-pg.yaml"));
  EXPECT_EQ(moved("orders_pg"), 1001);
  EXPECT_EQ(moved("orders_pg"), 12);
  add_late(shop);
  EXPECT_EQ(moved("orders_pg"), 16);
  const std::string all = "SELECT id, extract(epoch FROM changed_at)::bigint FROM orders ORDER BY id";
  EXPECT_EQ(warehouse.rows(all), shop.rows(all));
}

TEST_F(WatermarkExample, of_the_manual_with_append_inserts_each_row_once) {
  auto& shop = sqlite("shop");
  auto& warehouse = sqlite("warehouse");
  shop.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, at TEXT, what TEXT)");
  warehouse.execute("CREATE TABLE events (id INTEGER, at TEXT, what TEXT)");
  shop.execute(std::string("INSERT INTO events") + kNumbers + "value, '2026-03-01 09:00:00', NULL FROM n");
  use(document_file("docs/OPERATING.md", "events.yaml"));
  EXPECT_EQ(moved("events"), 1000);
  EXPECT_EQ(moved("events"), 0);
  shop.execute("INSERT INTO events VALUES (1001, '2026-03-01 09:00:00', 'it''s'), (1002, NULL, NULL)");
  EXPECT_EQ(moved("events"), 2);
  EXPECT_EQ(warehouse.rows("SELECT count(*), count(DISTINCT id) FROM events"), "1002|1002");
}

TEST_F(WatermarkExample, of_the_demo_loses_no_row_with_the_same_revision) {
  auto& machine = sqlite("machine");
  auto& inventory = sqlite("inventory");
  machine.execute(
      "CREATE TABLE package (id INTEGER PRIMARY KEY, name TEXT, architecture TEXT, version TEXT, section TEXT, "
      "priority "
      "TEXT, installed_kb INTEGER, maintainer TEXT, installed_at TEXT, revision INTEGER NOT NULL)");
  inventory.execute(
      "CREATE TABLE packages (name TEXT, architecture TEXT, version TEXT, section TEXT, priority TEXT, installed_kb "
      "INTEGER, maintainer TEXT, installed_at TEXT, revision INTEGER, PRIMARY KEY (name, architecture))");
  machine.execute(std::string("INSERT INTO package") + kNumbers +
                  "value, 'p' || value, 'all', '1', NULL, NULL, 1, NULL, NULL, value FROM n");
  use(read_file(PIPEKIT_SOURCE_DIR "/config/demo/modules.yaml"));
  EXPECT_EQ(moved("packages"), 1000);
  EXPECT_EQ(moved("packages"), 1);
  machine.execute("INSERT INTO package VALUES (2000, 'late', 'all', '1', NULL, NULL, 1, NULL, NULL, 1000)");
  EXPECT_EQ(moved("packages"), 2);
  EXPECT_EQ(inventory.rows("SELECT count(*) FROM packages"), "1001");
}

}  // namespace
}  // namespace pipekit::test
