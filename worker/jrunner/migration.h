// Migration mode: copies the rows of one query into one table, all or none, reading and writing in parallel.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "worker/jrunner/cancellation.h"
#include "worker/jrunner/jdbc_url.h"
#include "worker/jrunner/standard_output.h"

namespace pipekit::jrunner {

struct Migration {
  DatabaseTarget source;
  DatabaseTarget destination;
  std::string table;
  std::string_view query;  // the content of the SQL file
  bool read_only = false;  // the source's session
};

// Returns the number of rows; they are committed by then.
uint64_t migrate(const Migration& migration, Cancellation& cancellation, StandardOutput& out);

}  // namespace pipekit::jrunner
