#include "broker/store/own_store.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>

namespace pipekit::store {
namespace {

namespace fs = std::filesystem;

struct Close {
  void operator()(sqlite3* db) const { sqlite3_close(db); }
};
using Handle = std::unique_ptr<sqlite3, Close>;

std::string uri_of(const fs::path& file, bool immutable) {
  std::string uri = "file:";
  for (const char c : file.string()) {
    const bool special = c == '%' || c == '?' || c == '#';
    uri += special ? fmt::format("%{:02X}", static_cast<unsigned char>(c)) : std::string(1, c);
  }
  return uri + (immutable ? "?mode=ro&immutable=1" : "?mode=ro");
}

std::optional<int64_t> number(sqlite3* db, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  std::optional<int64_t> found;
  if (sqlite3_prepare_v2(db, sql, -1, &statement, nullptr) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
    found = sqlite3_column_int64(statement, 0);
  }
  sqlite3_finalize(statement);
  return found;
}

}  // namespace

Result<void> check_own_store(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored) || fs::file_size(file, ignored) == 0) return {};
  // "immutable" leaves nothing behind, but does not see what is in the -wal alone.
  const auto wal = fs::file_size(file.string() + "-wal", ignored);
  const bool has_wal = !ignored && wal > 0;
  sqlite3* opened = nullptr;
  const int code = sqlite3_open_v2(uri_of(file, !has_wal).c_str(), &opened,
                                   SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
  const Handle db(opened);
  if (code != SQLITE_OK) return {};
  const auto tables = number(opened, "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
  const auto id = number(opened, "PRAGMA application_id").value_or(0);
  // Stores of earlier versions have no id.
  const auto known = number(opened, "SELECT count(*) FROM sqlite_schema WHERE name IN ('run_log', 'meta')").value_or(0);
  if (!tables || id == kApplicationId || (id == 0 && (*tables == 0 || known == 2))) return {};
  return Error{ErrorCode::kInvalid, fmt::format("{} is a database, but not a Pipekit store", file.string()),
               "it was not changed: move it away, or choose another --data-dir"};
}

}  // namespace pipekit::store
