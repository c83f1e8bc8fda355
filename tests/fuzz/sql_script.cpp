// Input: a script.
#include "worker/jrunner/sql_script.h"

#include "tests/fuzz/input.h"

namespace {

using namespace pipekit;
using fuzz::require;

void scan(std::string_view script, SqlDialect dialect) {
  size_t at = 0;
  for (const auto& token : scan_sql(script, dialect)) {
    require(!token.text.empty(), "a token has characters");
    require(token.text.data() == script.data() + at, "tokens follow one another without gaps");
    require(token.open + token.close <= token.text.size(), "quotes are within their token");
    require(token.closed || at + token.text.size() == script.size(), "what is not closed goes on to the end");
    at += token.text.size();
  }
  require(at == script.size(), "the tokens together are the script");
}

void split(std::string_view script, SqlDialect dialect, bool standard_strings) {
  const char* end = script.data();
  size_t line = 0;
  for (const auto& one : split_sql(script, dialect, standard_strings)) {
    require(one.text.data() >= end && one.text.data() + one.text.size() <= script.data() + script.size(),
            "statements are in the script, one after the other");
    require(one.code < one.text.size(), "a statement has code");
    require(one.line >= line, "lines ascend");
    const auto code = static_cast<size_t>(one.text.data() - script.data()) + one.code;
    require(one.line == line_at(script, code), "the line is that of the code");
    end = one.text.data() + one.text.size();
    line = one.line;
    const auto alone = split_sql(one.text, dialect, standard_strings);
    const bool comment = dialect == SqlDialect::mysql && one.text.ends_with("--");  // one only at the end of a text
    require(comment || (alone.size() == 1 && alone.front().text == one.text),
            "a statement by itself is that statement");
    require(jrunner::first_line(one.text.substr(one.code)).size() <= 123, "a first line is short");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto script = jrunner::without_byte_order_mark(fuzz::Input(data, size).rest());
  for (const auto dialect : {SqlDialect::generic, SqlDialect::sqlite, SqlDialect::postgresql, SqlDialect::mysql,
                             SqlDialect::sqlserver, SqlDialect::db2}) {
    scan(script, dialect);
    split(script, dialect, true);
  }
  split(script, SqlDialect::postgresql, false);
  for (size_t from = 0; from < script.size(); ++from) {
    const auto next = jrunner::skip_sqlite_blank(script, from);
    require(next >= from && next <= script.size(), "skipping goes forward, and not beyond the end");
    require(jrunner::skip_sqlite_blank(script, next) == next, "after skipping there is nothing to skip");
    from = next;
  }
  return 0;
}
