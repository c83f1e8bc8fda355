// Scripts as the runner executes them. Pure. For PostgreSQL split_sql() knows where statements end; for SQLite the
// engine does (sqlite3_prepare_v2 answers with the rest of the script), and only the space between statements is
// skipped here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "shared/sql_scanner.h"

namespace pipekit::jrunner {

// The position of the next statement's first character, or the size: skips space, comments (not nested) and semicolons.
size_t skip_sqlite_blank(std::string_view script, size_t from);

std::string_view without_byte_order_mark(std::string_view script);
// For messages: the first line, cut to a readable length.
std::string first_line(std::string_view code);

}  // namespace pipekit::jrunner
