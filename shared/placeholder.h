// Watermarks' values in a query: {name}, name as in [A-Za-z_][A-Za-z0-9_]*. The query is read as SQL (sql_scanner.h),
// and a value is put in as what its place asks for:
//
//   in a literal or a quoted name   escaped, so that it stays within
//   elsewhere                       only one literal: a number, '...', NULL, TRUE, DATE '...', X'...'
//   in a comment                    {name} is text
//
// "{{" and "}}" write literal braces, but only as a pair within one literal (or both outside of all): a "}}" that
// closes nothing stays as it is, and so does any other brace. Read from left to right, so "{{{a}}}" is a brace, the
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

// Where no value could be put in safely, whatever it is: "line 3: ...". `raw`: names whose values go in as they are.
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

// What comes out is scanned again: but for raw values, its tokens are those of the query with the values in their
// places. What looks like a placeholder inside a value is not one. `query` is sent as it is where there are no values:
// this is for those that have some.
std::variant<std::string, SubstitutionError> substitute(std::string_view query, SqlDialect dialect,
                                                        const std::map<std::string, WatermarkValue>& values);

// A value that may stand in SQL outside of quotes.
bool is_single_literal(std::string_view value, SqlDialect dialect);

}  // namespace pipekit
