// Where statements end. Pure. For PostgreSQL this file knows; for SQLite the engine does (sqlite3_prepare_v2 answers
// with the rest of the script), and only the space between statements is skipped here.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pipekit::jrunner {

struct ScriptStatement {
  std::string_view text;  // with the comments before it (they may be hints), without its semicolon
  size_t code = 0;        // where in the text the statement itself begins
  size_t line = 1;        // of that place, in the script

  bool operator==(const ScriptStatement&) const = default;
};

// Statements without code (only comments) are left out. What is not terminated runs to the end, and the server's
// message says so. `standard_strings`: the session's standard_conforming_strings.
std::vector<ScriptStatement> split_postgres(std::string_view script, bool standard_strings = true);

// The place of the next statement's first character, or the size: past space, comments (not nested) and semicolons.
size_t skip_sqlite_blank(std::string_view script, size_t from);

std::string_view without_byte_order_mark(std::string_view script);
size_t line_at(std::string_view script, size_t position);
// For messages: the first line, cut to a readable length.
std::string first_line(std::string_view code);

}  // namespace pipekit::jrunner
