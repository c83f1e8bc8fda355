// Input: a script.
#include "worker/jrunner/sql_script.h"

#include "tests/fuzz/input.h"

namespace {

using namespace pipekit;
using fuzz::require;

void split(std::string_view script, bool standard_strings) {
  const char* end = script.data();
  size_t line = 0;
  for (const auto& one : jrunner::split_postgres(script, standard_strings)) {
    require(one.text.data() >= end && one.text.data() + one.text.size() <= script.data() + script.size(),
            "statements stand in the script, one after the other");
    require(one.code < one.text.size(), "a statement has code");
    require(one.line >= line, "lines ascend");
    const auto code = static_cast<size_t>(one.text.data() - script.data()) + one.code;
    require(one.line == jrunner::line_at(script, code), "the line is that of the code");
    end = one.text.data() + one.text.size();
    line = one.line;
    const auto alone = jrunner::split_postgres(one.text, standard_strings);
    require(alone.size() == 1 && alone.front().text == one.text, "a statement by itself is that statement");
    require(jrunner::first_line(one.text.substr(one.code)).size() <= 123, "a first line is short");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto script = jrunner::without_byte_order_mark(fuzz::Input(data, size).rest());
  split(script, true);
  split(script, false);
  for (size_t from = 0; from < script.size(); ++from) {
    const auto next = jrunner::skip_sqlite_blank(script, from);
    require(next >= from && next <= script.size(), "skipping goes forward, and not beyond the end");
    require(jrunner::skip_sqlite_blank(script, next) == next, "after skipping there is nothing to skip");
    from = next;
  }
  return 0;
}
