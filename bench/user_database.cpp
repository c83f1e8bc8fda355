#include "bench/user_database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <memory>
#include <stdexcept>

namespace pipekit::bench {
namespace {

constexpr auto kTable = "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, total NUMERIC, changed INTEGER);";

Json module_of(const std::string& name, const std::string& source, const std::string& destination) {
  Json watermark = {{"name", "seen"},
                    {"connection", destination},
                    {"resolver_sql", "SELECT min(changed) - 1 FROM orders"},
                    {"default_value", "0"}};
  Json hook = {{"run_order", 1}, {"connection", destination}, {"sql", "DELETE FROM orders WHERE id < 0"}};
  return {{"name", name},
          {"source_connection", source},
          {"dest_connection", destination},
          {"dest_table", "orders"},
          {"source_query", "SELECT id, customer, total, changed FROM orders WHERE changed > {seen}"},
          {"merge_strategy", "incremental"},
          {"merge_key", {"id"}},
          {"watermarks", Json::array({watermark})},
          {"hooks", Json::array({hook})}};
}

}  // namespace

void execute_sqlite(const std::string& file, const std::string& sql) {
  sqlite3* handle = nullptr;
  const int opened = sqlite3_open(file.c_str(), &handle);
  const std::unique_ptr<sqlite3, decltype(&sqlite3_close_v2)> owner(handle, &sqlite3_close_v2);
  if (opened == SQLITE_OK && sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) return;
  throw std::runtime_error(fmt::format("{}: {}", file, sqlite3_errmsg(handle)));
}

TablePair TablePair::make(const test::TempDir& dir, const std::string& name, int rows) {
  TablePair pair{name, dir.file(name + "-source.db"), dir.file(name + "-destination.db")};
  execute_sqlite(pair.destination, kTable);
  execute_sqlite(pair.source, kTable);
  execute_sqlite(pair.source, fmt::format("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
                                          " INSERT INTO orders SELECT i, 'customer ' || i, i * 12.5, i FROM n",
                                          rows));
  return pair;
}

Json TablePair::document(const std::vector<std::string>& modules) const {
  const auto connection = [](const std::string& name_of_it, const std::string& file) {
    return Json{{"name", name_of_it}, {"driver", "sqlite"}, {"jdbc_url", "jdbc:sqlite:" + file}};
  };
  Json document = {{"connections", {connection(name + "-source", source), connection(name + "-dest", destination)}},
                   {"modules", Json::array()}};
  for (const auto& module : modules) document["modules"].push_back(module_of(module, name + "-source", name + "-dest"));
  return document;
}

}  // namespace pipekit::bench
