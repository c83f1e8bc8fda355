// Converts JDBC URLs of the two supported engines into parameters of their libraries. Pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "shared/error.h"

namespace pipekit::jrunner {

struct SqliteTarget {
  std::string path;  // a file; ":memory:"; or a URI when `uri`
  bool uri = false;
  std::string file;  // the file that must exist; empty for a database in memory
  std::vector<std::pair<std::string, std::string>> pragmas{};
  bool immutable = false;  // the URI says that nobody writes to the file
  int attach = 0;          // how many databases a script may attach
};

struct PostgresTarget {
  std::vector<std::pair<std::string, std::string>> keywords;  // libpq's, in order; a later one wins
  std::string search_path{};                                  // currentSchema
  bool time_zone_chosen = false;                              // `options` sets TimeZone

  [[nodiscard]] std::string keyword(std::string_view name) const;
};

using DatabaseTarget = std::variant<SqliteTarget, PostgresTarget>;

// kUsage says which part of the URL is wrong. Parameters that only matter to the Java drivers have no effect; those
// that shared/jdbc_parameters.cpp does not list are refused.
Result<DatabaseTarget> parse_jdbc_url(std::string_view url);

}  // namespace pipekit::jrunner
