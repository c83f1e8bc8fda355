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
  // What retention keeps: 0 is without limit. Runs with their attempts and group runs; events with the log lines;
  // ledger: rows of each schedule.
  int64_t runs_keep_days = 90;
  int64_t runs_keep = 1'000'000;
  int64_t events_keep_days = 30;
  int64_t events_keep = 20'000'000;
  int64_t ledger_keep_days = 90;
  int64_t ledger_keep = 10'000;
  int64_t audit_keep_days = 400;
  int64_t audit_keep = 1'000'000;
  int64_t workers_keep_days = 30;
};

Settings load_settings(store::Database& db);

// [{key, value, default, description}]
Json list_settings(store::Database& db);
Result<Json> get_setting(store::Database& db, const std::string& key);
Result<Json> set_setting(store::Database& db, const std::string& key, const Json& value);

}  // namespace pipekit
