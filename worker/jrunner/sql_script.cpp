#include "worker/jrunner/sql_script.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace pipekit::jrunner {
namespace {

constexpr auto kEnd = std::string_view::npos;

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool starts_word(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0; }
bool in_word(char c) { return starts_word(c) || std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '$'; }

bool same_word(std::string_view word, std::string_view lower) {
  return std::ranges::equal(word, lower,
                            [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
}

size_t after(size_t found, size_t length, std::string_view text) {
  return found == kEnd ? text.size() : found + length;
}

size_t skip_line(std::string_view text, size_t at) { return after(text.find('\n', at), 1, text); }

// PostgreSQL's block comments nest.
size_t skip_nested_comment(std::string_view text, size_t at) {
  int depth = 1;
  for (at += 2; depth > 0; at += 2) {
    at = std::min(text.find("/*", at), text.find("*/", at));
    if (at == kEnd) return text.size();
    depth += text[at] == '/' ? 1 : -1;
  }
  return at;
}

size_t skip_quoted(std::string_view text, size_t at, bool backslashes) {
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (backslashes && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (at + 1 >= text.size() || text[at + 1] != quote) return at + 1;
      ++at;
    }
  }
  return text.size();
}

// The end of "$tag$ ... $tag$", or nothing when this dollar opens no quote ("$1").
std::optional<size_t> skip_dollar_quoted(std::string_view text, size_t at) {
  size_t close = at + 1;
  if (close < text.size() && starts_word(text[close])) {
    while (close < text.size() && in_word(text[close]) && text[close] != '$') ++close;
  }
  if (close >= text.size() || text[close] != '$') return std::nullopt;
  const auto tag = text.substr(at, close - at + 1);
  return after(text.find(tag, close + 1), tag.size(), text);
}

// One pass over a script. Semicolons count neither inside parentheses (CREATE RULE ... DO (a; b)) nor inside the body
// of an SQL function, which is BEGIN ATOMIC ... END with CASE ... END in it.
class PostgresSplitter {
 public:
  PostgresSplitter(std::string_view script, bool standard_strings)
      : script_(script), standard_strings_(standard_strings) {}

  std::vector<ScriptStatement> split() {
    while (at_ < script_.size()) step();
    finish_statement(script_.size());
    return std::move(statements_);
  }

 private:
  void step() {
    const char c = script_[at_];
    const auto two = script_.substr(at_, 2);
    if (is_space(c)) {
      ++at_;
    } else if (two == "--") {
      at_ = skip_line(script_, at_);
    } else if (two == "/*") {
      at_ = skip_nested_comment(script_, at_);
    } else if (c == ';' && parentheses_ == 0 && body_depth_ == 0) {
      finish_statement(at_);
      begin_ = ++at_;
    } else {
      if (code_ == kEnd) code_ = at_;
      step_code(c);
    }
  }

  void step_code(char c) {
    if (starts_word(c)) return step_word();
    if (c == '\'') {
      at_ = skip_quoted(script_, at_, !standard_strings_);
    } else if (c == '"') {
      at_ = skip_quoted(script_, at_, false);
    } else if (c == '$') {
      at_ = skip_dollar_quoted(script_, at_).value_or(at_ + 1);
    } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      while (at_ < script_.size() && in_word(script_[at_])) ++at_;
    } else {
      if (c == '(') ++parentheses_;
      if (c == ')' && parentheses_ > 0) --parentheses_;
      ++at_;
    }
  }

  void step_word() {
    const auto from = at_;
    while (at_ < script_.size() && in_word(script_[at_])) ++at_;
    const auto word = script_.substr(from, at_ - from);
    if (same_word(word, "e") && at_ < script_.size() && script_[at_] == '\'') {
      at_ = skip_quoted(script_, at_, true);
    } else {
      follow_body(word);
    }
    previous_word_ = word;
  }

  void follow_body(std::string_view word) {
    if (body_depth_ == 0) {
      if (first_word_.empty()) first_word_ = word;
      const bool body = same_word(word, "atomic") && same_word(previous_word_, "begin");
      if (body && same_word(first_word_, "create")) body_depth_ = 1;
    } else if (same_word(word, "case")) {
      ++body_depth_;
    } else if (same_word(word, "end")) {
      --body_depth_;
    }
  }

  void finish_statement(size_t end) {
    if (code_ != kEnd) {
      while (is_space(script_[begin_])) ++begin_;
      while (is_space(script_[end - 1])) --end;
      line_ += line_at(script_.substr(0, code_).substr(counted_), kEnd) - 1;
      counted_ = code_;
      statements_.push_back({script_.substr(begin_, end - begin_), code_ - begin_, line_});
    }
    code_ = kEnd;
    parentheses_ = 0;
    body_depth_ = 0;
    first_word_ = {};
    previous_word_ = {};
  }

  std::string_view script_;
  bool standard_strings_;
  size_t at_ = 0;
  size_t begin_ = 0;
  size_t code_ = kEnd;
  int parentheses_ = 0;
  int body_depth_ = 0;
  std::string_view first_word_{};
  std::string_view previous_word_{};
  size_t line_ = 1;     // of the last statement
  size_t counted_ = 0;  // where that line was reached
  std::vector<ScriptStatement> statements_{};
};

}  // namespace

std::vector<ScriptStatement> split_postgres(std::string_view script, bool standard_strings) {
  return PostgresSplitter(script, standard_strings).split();
}

size_t skip_sqlite_blank(std::string_view script, size_t from) {
  while (from < script.size()) {
    const auto two = script.substr(from, 2);
    if (is_space(script[from]) || script[from] == ';') {
      ++from;
    } else if (two == "--") {
      from = skip_line(script, from);
    } else if (two == "/*") {
      from = after(script.find("*/", from + 2), 2, script);
    } else {
      break;
    }
  }
  return from;
}

std::string_view without_byte_order_mark(std::string_view script) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return script.starts_with(kMark) ? script.substr(kMark.size()) : script;
}

size_t line_at(std::string_view script, size_t position) {
  return 1 + static_cast<size_t>(std::ranges::count(script.substr(0, position), '\n'));
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
