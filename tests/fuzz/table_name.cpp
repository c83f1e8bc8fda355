// Input: a name or a value that a user wrote into a definition and that becomes part of SQL.
#include "worker/dialect/table_name.h"

#include "shared/sql_scanner.h"
#include "tests/fuzz/input.h"
#include "worker/dialect/quoting.h"

namespace {

using namespace pipekit;
using fuzz::require;

void name(std::string_view written, std::string_view quotes) {
  const auto parts = worker::parse_table_name(written, quotes);
  if (!parts) return;
  require(!parts->empty() && parts->size() <= 2, "a name has one or two parts");
  std::string canonical;
  for (const auto& part : *parts) canonical += (canonical.empty() ? "" : ".") + worker::canonical_part(part.text);
  const auto again = worker::parse_table_name(canonical, "\"");
  require(again.ok() && again->size() == parts->size(), "a canonical name can be read");
  for (size_t i = 0; i < parts->size(); ++i) require((*again)[i].text == (*parts)[i].text, "and is the same name");
}

// Between two words: a token that ended early would let the second word, or a statement, begin within the value.
void one_token(const std::string& token, bool standard_strings) {
  const auto script = "a " + token + "; b";
  const auto statements = split_sql(script, SqlDialect::postgresql, standard_strings);
  require(statements.size() == 2 && statements.front().text == "a " + token && statements.back().text == "b",
          "what is quoted is one token");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto text = fuzz::Input(data, size).rest();
  for (const std::string_view quotes : {"", "\"", "\"[`"}) name(text, quotes);
  one_token(worker::quote_identifier(text), true);
  one_token(worker::quote_identifier(text), false);
  one_token(worker::quote_literal(text), true);
  one_token(worker::quote_literal_escaping(text), true);
  one_token(worker::quote_literal_escaping(text), false);
  return 0;
}
