// Input: a line with a dialect (one character) and a watermark's value, then a source query.
#include "shared/placeholder.h"

#include <string>

#include "tests/fuzz/input.h"

namespace {

using namespace pipekit;
using fuzz::require;

constexpr std::string_view kMark = "777000777";  // a value that is safe everywhere and that no input has by chance

std::optional<std::string> put(std::string_view query, SqlDialect dialect, std::string_view value) {
  std::map<std::string, WatermarkValue> values;
  for (const auto& name : placeholders_in(query, dialect).used) {
    require(is_placeholder_name(name), "only names are placeholders");
    require(values.emplace(name, WatermarkValue{std::string(value)}).second, "each name is told once");
  }
  auto made = substitute(query, dialect, values);
  if (auto* sql = std::get_if<std::string>(&made)) return std::move(*sql);
  require(std::get<SubstitutionError>(made).unsafe, "with a value for each only a value can be wrong");
  return std::nullopt;
}

std::vector<SqlToken> tokens_of(const std::string& sql, SqlDialect dialect) {
  auto tokens = scan_sql(sql, dialect);
  std::erase_if(tokens, [](const auto& token) { return token.kind == SqlKind::space; });
  return tokens;
}

// What the database makes of a literal's body.
std::string meaning(const SqlToken& token) {
  std::string out;
  const auto body = token.body();
  for (size_t at = 0; at < body.size(); ++at) {
    const char next = at + 1 < body.size() ? body[at + 1] : '\0';
    const bool escape = token.backslashes && body[at] == '\\' && next != '\0';
    const bool doubled = token.quote != '$' && body[at] == token.quote && next == token.quote;
    if (escape && next != '\\' && next != token.quote) out += '\\';  // \n: the same on either side
    if (escape || doubled) ++at;
    out += body[at];
  }
  return out;
}

std::string replaced(std::string text, std::string_view mark, std::string_view value) {
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size())) {
    text.replace(at, mark.size(), value);
  }
  return text;
}

// `sql` has the value where `marked` has the mark, and is the same otherwise.
void compare(const std::string& marked, const std::string& sql, std::string_view value, SqlDialect dialect) {
  const auto wanted = tokens_of(marked, dialect);
  const auto found = tokens_of(sql, dialect);
  const std::string bare(value);
  const auto inserted = tokens_of(bare, dialect);
  size_t at = 0;
  for (const auto& token : wanted) {
    if (!token.is_quoted() && token.text == kMark) {
      for (const auto& part : inserted) {
        require(at < found.size() && found[at].text == part.text, "outside of quotes it is the value itself");
        ++at;
      }
      continue;
    }
    require(at < found.size() && found[at].kind == token.kind, "a value changes no token around it");
    if (token.is_quoted()) {
      require(meaning(found[at]) == replaced(meaning(token), kMark, value), "a literal has the value, unchanged");
    } else {
      require(found[at].text == token.text, "all else is as it was");
    }
    ++at;
  }
  require(at == found.size(), "a value adds no token");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const auto dialect = static_cast<SqlDialect>(input.byte() % 6);
  const auto value = input.line();
  const auto query = input.rest();
  if (query.find(kMark) != std::string_view::npos) return 0;
  const auto marked = put(query, dialect, kMark);
  if (!placeholders_in(query, dialect).used.empty()) {
    const auto without = substitute(query, dialect, {});
    require(std::holds_alternative<SubstitutionError>(without), "a placeholder without a value is refused");
  }
  const auto sql = put(query, dialect, value);
  if (sql && marked) compare(*marked, *sql, value, dialect);
  return 0;
}
