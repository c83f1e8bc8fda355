// What operators may tune while the broker runs: the settings table over the defaults here.
#pragma once

#include <cstdint>
#include <string>

#include "broker/store/database.h"
#include "shared/error.h"

namespace pipekit {

struct Settings {
  int64_t log_head_bytes = int64_t{256} * 1024;
  int64_t log_tail_bytes = int64_t{2} * 1024 * 1024;
  int64_t claim_limit_s = 60;
  std::string row_count_pattern;
};

Settings load_settings(store::Database& db);

// [{key, value, default, description}]
Json list_settings(store::Database& db);
Result<Json> get_setting(store::Database& db, const std::string& key);
Result<Json> set_setting(store::Database& db, const std::string& key, const Json& value);

}  // namespace pipekit
