// Watermarks' values in a query: {name}, name as in [A-Za-z_][A-Za-z0-9_]*. The query is read as SQL (sql_scanner.h),
// and how a value is inserted depends on its place:
//
//   in a literal or a quoted name   escaped, so that it stays within
//   elsewhere                       only one literal: a number, '...', NULL, TRUE, DATE '...', X'...'
//   in a comment                    {name} is text
//
// "{{" and "}}" write literal braces, but only as a pair within one literal (or both outside of all): a "}}" that
// closes nothing is left alone, and so is any other brace. Read from left to right, so "{{{a}}}" is a brace, the
// value of a, a brace. Pure, thread-safe.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "shared/sql_scanner.h"

namespace pipekit {

bool is_placeholder_name(std::string_view text);

struct Placeholders {
  std::vector<std::string> used;         // each name once, in the order in which they first appear
  std::vector<std::string> in_comments;  // likewise: those that only comments have
  std::vector<std::string> bare;         // of those used: that have a place outside of quotes
};
Placeholders placeholders_in(std::string_view query, SqlDialect dialect);

// A place where no value can be inserted safely: "line 3: ...". `raw`: names whose values are inserted unchanged.
struct QueryProblem {
  std::string message;
  std::string hint;
};
std::vector<QueryProblem> unsafe_places(std::string_view query, SqlDialect dialect, const std::set<std::string>& raw);

struct WatermarkValue {
  std::string text;
  bool raw = false;  // goes in as it is
};

struct SubstitutionError {
  bool unsafe = false;  // a value; else placeholders and values do not pair
  std::string message;
  std::string hint;
};

// The result is scanned again: except for raw values, its tokens are those of the query with the values in their
// places. What looks like a placeholder inside a value is not one. For queries with values; a query without any is sent
// unchanged.
std::variant<std::string, SubstitutionError> substitute(std::string_view query, SqlDialect dialect,
                                                        const std::map<std::string, WatermarkValue>& values);

// Whether a value may be used in SQL outside of quotes.
bool is_single_literal(std::string_view value, SqlDialect dialect);

}  // namespace pipekit
