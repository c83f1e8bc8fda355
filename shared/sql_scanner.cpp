#include "shared/sql_scanner.h"

#include <algorithm>
#include <array>
#include <utility>

namespace pipekit {
namespace {

constexpr auto kEnd = std::string_view::npos;

struct Rules {
  std::string_view name{};
  bool nested_comments = false;
  bool return_ends_comment = false;  // a carriage return alone ends a -- comment
  bool hash_comments = false;        // and -- opens a comment only before a blank
  bool backslashes = false;          // in every literal
  bool double_quotes_are_text = false;
  bool backticks = false;
  bool brackets = false;
  bool doubled_brackets = false;  // ]] within [ ] is one
  bool dollar_quotes = false;
  bool variables = false;          // SQLite's tokens @a, $a::b(c)
  std::string_view word_chars{};   // beside letters, digits and _
  std::string_view word_starts{};  // of these, those that may be the first
  std::string_view prefixes{};     // of literals, each between blanks
  std::string_view coded_prefixes{};
};

constexpr std::array<Rules, 6> kRules = {{
    {.name = "generic",
     .backticks = true,
     .brackets = true,
     .word_chars = "$",
     .prefixes = " n x b ",
     .coded_prefixes = " x b u& "},
    {.name = "sqlite",
     .backticks = true,
     .brackets = true,
     .variables = true,
     .word_chars = "$",
     .prefixes = " x ",
     .coded_prefixes = " x "},
    {.name = "postgresql",
     .nested_comments = true,
     .return_ends_comment = true,
     .dollar_quotes = true,
     .word_chars = "$",
     .prefixes = " e n x b ",
     .coded_prefixes = " x b u& "},
    {.name = "mysql",
     .hash_comments = true,
     .backslashes = true,
     .double_quotes_are_text = true,
     .backticks = true,
     .word_chars = "$",
     .word_starts = "$",
     .prefixes = " n x b ",
     .coded_prefixes = " x b "},
    {.name = "sqlserver",
     .nested_comments = true,
     .brackets = true,
     .doubled_brackets = true,
     .word_chars = "@#$",
     .word_starts = "@#",
     .prefixes = " n ",
     .coded_prefixes = " "},
    {.name = "db2",
     .nested_comments = true,
     .word_chars = "@#$",
     .word_starts = "@#$",
     .prefixes = " n x g b gx ux bx ",
     .coded_prefixes = " x gx ux bx u& "},
}};

const Rules& rules_of(SqlDialect dialect) { return kRules.at(static_cast<size_t>(dialect)); }

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (static_cast<unsigned char>(c) & 0x80U) != 0;
}
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool has(std::string_view chars, char c) { return chars.find(c) != kEnd; }

// `words` are between blanks; `word` is at most two characters long.
bool among(std::string_view words, std::string_view word) {
  if (word.empty() || word.size() > 2) return false;
  std::string wanted = " ";
  for (const char c : word) wanted += lower(c);
  return words.find(wanted + ' ') != kEnd;
}

}  // namespace

SqlDialect sql_dialect_of(std::string_view jdbc_url) {
  static constexpr std::array<std::pair<std::string_view, SqlDialect>, 8> kPrefixes = {{
      {"jdbc:sqlite:", SqlDialect::sqlite},
      {"jdbc:postgresql:", SqlDialect::postgresql},
      {"jdbc:mysql:", SqlDialect::mysql},
      {"jdbc:mariadb:", SqlDialect::mysql},
      {"jdbc:sqlserver:", SqlDialect::sqlserver},
      {"jdbc:jtds:sqlserver:", SqlDialect::sqlserver},
      {"jdbc:db2:", SqlDialect::db2},
      {"jdbc:as400:", SqlDialect::db2},
  }};
  for (const auto& [prefix, dialect] : kPrefixes) {
    if (jdbc_url.starts_with(prefix)) return dialect;
  }
  return SqlDialect::generic;
}

std::string_view to_string(SqlDialect dialect) { return rules_of(dialect).name; }

SqlToken SqlScanner::slice(SqlKind kind, size_t from, size_t to) const {
  SqlToken token;
  token.kind = kind;
  token.text = text_.substr(from, to - from);
  return token;
}

std::optional<SqlToken> SqlScanner::next() {
  if (at_ >= text_.size()) return std::nullopt;
  auto token = token_at(at_);
  at_ += token.text.size();
  if (dialect_ != SqlDialect::postgresql) return token;
  if (token.kind == SqlKind::space || token.kind == SqlKind::line_comment) {
    line_ended_ = line_ended_ || token.text.find_first_of("\r\n") != kEnd;
  } else {
    literal_.reset();
    line_ended_ = false;
    if (token.kind == SqlKind::text && token.quote == '\'') literal_ = token;
  }
  return token;
}

SqlToken SqlScanner::token_at(size_t at) const {
  const auto& rules = rules_of(dialect_);
  const char c = text_[at];
  const char after = peek(at + 1);
  if (is_space(c)) {
    auto end = at;
    while (end < text_.size() && is_space(text_[end])) ++end;
    return slice(SqlKind::space, at, end);
  }
  if (c == '-' && after == '-') {
    // MySQL reads 5--2 as 5 - (-2).
    const bool blank = at + 2 >= text_.size() || static_cast<unsigned char>(text_[at + 2]) <= ' ';
    if (blank || !rules.hash_comments) return comment_to_line_end(at);
  }
  if (c == '/' && after == '*') return block_comment(at);
  if (c == '#' && rules.hash_comments) return comment_to_line_end(at);
  if (c == '\'') {
    // A literal that continues the one on the line before has that one's escapes.
    const bool continues = literal_ && line_ended_;
    const bool plain = rules.backslashes || (dialect_ == SqlDialect::postgresql && !standard_strings_);
    auto token = quoted(SqlKind::text, at, 0, continues ? literal_->backslashes : plain, continues && literal_->coded);
    token.continued = continues;
    return token;
  }
  if (c == '"') {
    const auto kind = rules.double_quotes_are_text ? SqlKind::text : SqlKind::name;
    return quoted(kind, at, 0, kind == SqlKind::text && rules.backslashes, false);
  }
  if (c == '`' && rules.backticks) return quoted(SqlKind::name, at, 0, false, false);
  if (c == '[' && rules.brackets) return bracketed(at);
  if (c == ';') return slice(SqlKind::semicolon, at, at + 1);
  if (rules.variables && has("$@#:", c)) {
    if (auto token = variable(at)) return *token;
  }
  if (c == '$' && (rules.dollar_quotes || dialect_ == SqlDialect::generic)) {
    if (auto token = dollar_quoted(at)) return *token;
  }
  if (is_letter(c) || has(rules.word_starts, c)) return word(at);
  if (is_digit(c)) return number(at);
  auto token = slice(SqlKind::symbol, at, at + 1);
  token.ambiguous = dialect_ == SqlDialect::generic && c == '#';  // a comment in MySQL
  return token;
}

SqlToken SqlScanner::comment_to_line_end(size_t at) const {
  const auto& rules = rules_of(dialect_);
  auto end = text_.find_first_of(rules.return_ends_comment ? "\r\n" : "\n", at);
  end = end == kEnd ? text_.size() : end + 1;
  auto token = slice(SqlKind::line_comment, at, end);
  if (dialect_ == SqlDialect::sqlite || dialect_ == SqlDialect::postgresql) return token;
  auto line = token.text;
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  token.ambiguous = has(line, '\r');
  if (dialect_ == SqlDialect::generic && !is_space(peek(at + 2)) && at + 2 < text_.size()) token.ambiguous = true;
  return token;
}

SqlToken SqlScanner::block_comment(size_t at) const {
  const auto& rules = rules_of(dialect_);
  int depth = 1;
  size_t end = at + 2;
  bool holds_another = false;
  // Each position is looked at once for either end, however deep the comments are.
  for (auto closing = text_.find("*/", end); depth > 0 && closing != kEnd;) {
    const auto opening = text_.substr(0, closing + 1).find("/*", end);
    holds_another = holds_another || opening != kEnd;
    if (rules.nested_comments && opening != kEnd) {
      ++depth;
      end = opening + 2;
    } else {
      --depth;
      end = closing + 2;
    }
    if (closing < end) closing = text_.find("*/", end);
  }
  auto token = slice(SqlKind::block_comment, at, depth == 0 ? end : text_.size());
  token.closed = depth == 0;
  const auto body = token.text.substr(2);
  // MySQL executes what is in /*! */.
  const bool conditional = body.starts_with('!') || body.starts_with("M!");
  if (dialect_ == SqlDialect::mysql) token.ambiguous = conditional;
  if (dialect_ == SqlDialect::generic) token.ambiguous = conditional || holds_another;
  return token;
}

// From the quote at `at` + `prefix`. A doubled quote is one within.
SqlToken SqlScanner::quoted(SqlKind kind, size_t at, size_t prefix, bool backslashes, bool coded) const {
  const char quote = text_[at + prefix];
  const bool unsure = dialect_ == SqlDialect::generic;
  bool ambiguous = false;
  size_t end = at + prefix + 1;
  bool closed = false;
  while (end < text_.size() && !closed) {
    const char c = text_[end++];
    if (c == '\\') {
      ambiguous = unsure;
      if (backslashes && end < text_.size()) ++end;
    } else if (c == quote) {
      closed = peek(end) != quote || end >= text_.size();
      if (!closed) ++end;
    }
    if (unsure && quote == '`' && has("'\"-/;#", c)) ambiguous = true;
  }
  auto token = slice(kind, at, end);
  token.open = static_cast<uint32_t>(prefix + 1);
  token.close = closed ? 1 : 0;
  token.quote = quote;
  token.backslashes = backslashes;
  token.coded = coded;
  token.closed = closed;
  token.ambiguous = ambiguous;
  return token;
}

SqlToken SqlScanner::bracketed(size_t at) const {
  const auto& rules = rules_of(dialect_);
  constexpr size_t kLongestName = 256;
  if (dialect_ == SqlDialect::generic) {
    // A name, or an index into an array: only its characters tell whether that matters.
    const auto near = text_.substr(at, kLongestName);
    const auto name = near.substr(0, near.find(']'));
    auto token = slice(SqlKind::symbol, at, at + 1);
    token.ambiguous = name.size() == kLongestName || name.find_first_of("'\"-/;#`") != kEnd;
    return token;
  }
  auto end = text_.find(']', at);
  while (rules.doubled_brackets && end != kEnd && peek(end + 1) == ']') end = text_.find(']', end + 2);
  auto token = slice(SqlKind::name, at, end == kEnd ? text_.size() : end + 1);
  token.open = 1;
  token.close = end == kEnd ? 0 : 1;
  token.quote = ']';
  token.closed = end != kEnd;
  return token;
}

std::optional<SqlToken> SqlScanner::dollar_quoted(size_t at) const {
  size_t close = at + 1;
  if (is_letter(peek(close))) {
    while (is_letter(peek(close)) || is_digit(peek(close))) ++close;
  }
  if (peek(close) != '$') return std::nullopt;
  if (dialect_ == SqlDialect::generic) {
    auto token = slice(SqlKind::symbol, at, at + 1);
    token.ambiguous = true;
    return token;
  }
  const auto tag = text_.substr(at, close - at + 1);
  const auto end = text_.find(tag, close + 1);
  auto token = slice(SqlKind::text, at, end == kEnd ? text_.size() : end + tag.size());
  token.open = static_cast<uint32_t>(tag.size());
  token.close = end == kEnd ? 0 : token.open;
  token.quote = '$';
  token.closed = end != kEnd;
  return token;
}

SqlToken SqlScanner::word(size_t at) const {
  const auto& rules = rules_of(dialect_);
  auto end = at;
  while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]) || has(rules.word_chars, text_[end]))) {
    ++end;
  }
  const auto word = text_.substr(at, end - at);
  if (peek(end) == '\'' && among(rules.prefixes, word)) {
    const bool escapes = same_word(word, "e");
    const bool plain =
        rules.backslashes || (dialect_ == SqlDialect::postgresql && !standard_strings_ && same_word(word, "n"));
    const bool coded = among(rules.coded_prefixes, word);
    return quoted(SqlKind::text, at, word.size(), (escapes || plain) && !coded, coded);
  }
  const bool unicode = peek(end) == '&' && same_word(word, "u") && among(rules.coded_prefixes, "u&");
  if (unicode && (peek(end + 1) == '\'' || peek(end + 1) == '"')) {
    return quoted(peek(end + 1) == '"' ? SqlKind::name : SqlKind::text, at, 2, false, true);
  }
  auto token = slice(SqlKind::word, at, end);
  // Oracle's q'[it's]'.
  token.ambiguous =
      dialect_ == SqlDialect::generic && peek(end) == '\'' && (same_word(word, "q") || same_word(word, "nq"));
  return token;
}

SqlToken SqlScanner::number(size_t at) const {
  auto end = at;
  const bool hex = text_[at] == '0' && lower(peek(at + 1)) == 'x';
  while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]) || text_[end] == '.')) {
    const bool exponent = !hex && lower(text_[end]) == 'e' && has("+-", peek(end + 1)) && is_digit(peek(end + 2));
    end += exponent ? 2 : 1;
  }
  return slice(SqlKind::number, at, end);
}

// As SQLite's tokenizer: the parentheses of $array(index) may hold any characters but blanks.
std::optional<SqlToken> SqlScanner::variable(size_t at) const {
  auto end = at + 1;
  size_t named = 0;
  for (; end < text_.size(); ++end) {
    const char c = text_[end];
    if (is_letter(c) || is_digit(c) || c == '$') {
      ++named;
    } else if (c == '(' && named > 0) {
      while (end < text_.size() && text_[end] != ')' && !is_space(text_[end])) ++end;
      if (end < text_.size() && text_[end] == ')') ++end;
      break;
    } else if (c == ':' && peek(end + 1) == ':') {
      ++end;
    } else {
      break;
    }
  }
  if (named == 0) return std::nullopt;
  return slice(SqlKind::variable, at, end);
}

std::vector<SqlToken> scan_sql(std::string_view text, SqlDialect dialect) {
  std::vector<SqlToken> tokens;
  SqlScanner scanner(text, dialect);
  while (auto token = scanner.next()) tokens.push_back(*token);
  return tokens;
}

namespace {

// Collects the statements of a script from its tokens.
class Splitter {
 public:
  Splitter(std::string_view script, SqlDialect dialect) : script_(script), dialect_(dialect) {}

  void take(const SqlToken& token) {
    const auto from = static_cast<size_t>(token.text.data() - script_.data());
    if (token.is_blank()) return;
    if (token.kind == SqlKind::semicolon && parentheses_ == 0 && depth_ == 0) {
      finish(from);
      begin_ = from + 1;
      return;
    }
    if (code_ == kEnd) code_ = from;
    if (token.text == "(") ++parentheses_;
    if (token.text == ")" && parentheses_ > 0) --parentheses_;
    follow(token.kind == SqlKind::word ? token.text : std::string_view{});
  }

  std::vector<SqlStatement> done() {
    finish(script_.size());
    return std::move(statements_);
  }

 private:
  // Whether `word` opens or closes a body. PostgreSQL's have BEGIN ATOMIC; elsewhere triggers and routines have them.
  void follow(std::string_view word) {
    if (word.empty()) {
      previous_ = {};
      return;
    }
    const auto before = std::exchange(previous_, word);
    if (words_++ == 0) creates_ = same_word(word, "create");
    if (!creates_) return;
    if (same_word(word, "trigger") || same_word(word, "procedure") || same_word(word, "function")) routine_ = true;
    const bool ends_block = same_word(before, "end") && is_block(word);
    if (depth_ == 0 && !(ends_block && routine_)) {
      const bool atomic = same_word(word, "atomic") && same_word(before, "begin");
      if (dialect_ == SqlDialect::postgresql ? atomic : routine_ && same_word(word, "begin")) depth_ = 1;
      return;
    }
    if (ends_block) {
      if (!same_word(word, "case")) ++depth_;  // END IF closes what opened nothing here
    } else if (same_word(word, "case") || (same_word(word, "begin") && dialect_ != SqlDialect::postgresql)) {
      ++depth_;
    } else if (same_word(word, "end")) {
      --depth_;
    }
  }

  [[nodiscard]] bool is_block(std::string_view word) const {
    if (dialect_ == SqlDialect::postgresql || dialect_ == SqlDialect::sqlite) return false;
    return std::ranges::any_of(std::to_array<std::string_view>({"if", "loop", "while", "repeat", "for", "case"}),
                               [&](std::string_view one) { return same_word(word, one); });
  }

  void finish(size_t end) {
    if (code_ != kEnd) {
      while (is_space(script_[begin_])) ++begin_;
      while (is_space(script_[end - 1])) --end;
      line_ += static_cast<size_t>(std::ranges::count(script_.substr(counted_, code_ - counted_), '\n'));
      counted_ = code_;
      statements_.push_back({script_.substr(begin_, end - begin_), code_ - begin_, line_});
    }
    code_ = kEnd;
    parentheses_ = 0;
    depth_ = 0;
    words_ = 0;
    creates_ = false;
    routine_ = false;
    previous_ = {};
  }

  std::string_view script_;
  SqlDialect dialect_;
  size_t begin_ = 0;
  size_t code_ = kEnd;  // where the current statement's own text begins
  int parentheses_ = 0;
  int depth_ = 0;  // of BEGIN and CASE in a body
  size_t words_ = 0;
  bool creates_ = false;
  bool routine_ = false;
  std::string_view previous_{};
  size_t line_ = 1;     // of the last statement
  size_t counted_ = 0;  // where that line was reached
  std::vector<SqlStatement> statements_{};
};

}  // namespace

std::vector<SqlStatement> split_sql(std::string_view script, SqlDialect dialect, bool standard_strings) {
  SqlScanner scanner(script, dialect, standard_strings);
  Splitter splitter(script, dialect);
  while (const auto token = scanner.next()) splitter.take(*token);
  return splitter.done();
}

std::optional<OpenPiece> unclosed_in(std::string_view text, SqlDialect dialect) {
  SqlScanner scanner(text, dialect);
  while (const auto token = scanner.next()) {
    if (token->closed) continue;
    const auto* what = token->kind == SqlKind::text   ? "string"
                       : token->kind == SqlKind::name ? "quoted name"
                                                      : "comment";
    return OpenPiece{what, line_at(text, static_cast<size_t>(token->text.data() - text.data()))};
  }
  return std::nullopt;
}

size_t line_at(std::string_view text, size_t position) {
  return 1 + static_cast<size_t>(std::ranges::count(text.substr(0, position), '\n'));
}

bool same_word(std::string_view word, std::string_view lowercase) {
  return std::ranges::equal(word, lowercase, [](char a, char b) { return lower(a) == b; });
}

}  // namespace pipekit
