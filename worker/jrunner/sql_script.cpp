#include "worker/jrunner/sql_script.h"

namespace pipekit::jrunner {

size_t skip_sqlite_blank(std::string_view script, size_t from) {
  SqlScanner scanner(script.substr(from), SqlDialect::sqlite);
  while (const auto token = scanner.next()) {
    if (!token->is_blank() && token->kind != SqlKind::semicolon) break;
    from += token->text.size();
  }
  return from;
}

std::string_view without_byte_order_mark(std::string_view script) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return script.starts_with(kMark) ? script.substr(kMark.size()) : script;
}

std::string first_line(std::string_view code) {
  constexpr size_t kReadable = 120;
  auto line = code.substr(0, code.find_first_of("\r\n"));
  if (line.size() <= kReadable) return std::string(line);
  line = line.substr(0, kReadable);
  while (!line.empty() && (line.back() & 0xC0) == 0x80) line.remove_suffix(1);  // not within a UTF-8 sequence
  if (!line.empty() && (line.back() & 0x80) != 0) line.remove_suffix(1);
  return std::string(line) + "...";
}

}  // namespace pipekit::jrunner
