#include "shared/placeholder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include "shared/utf8.h"

namespace pipekit {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_char(char c) { return is_letter(c) || is_digit(c); }
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The name in "{name}..."; empty when the brace opens no placeholder.
std::string_view name_at(std::string_view rest) {
  size_t end = 1;
  while (end < rest.size() && is_name_char(rest[end])) ++end;
  if (end >= rest.size() || rest[end] != '}' || end == 1 || !is_letter(rest[1])) return {};
  return rest.substr(1, end - 1);
}

// A piece of the query, in order; together they are the query.
struct Piece {
  enum class Kind { plain, escape, placeholder };
  Kind kind = Kind::plain;
  size_t from = 0;
  size_t to = 0;
  std::string_view name{};  // of a placeholder
};

// Finds the pairs of "{{" and "}}" of one context: a literal, or all that is outside of literals and comments.
class Pairs {
 public:
  explicit Pairs(size_t size) : escapes_(size, false) {}

  void read(std::string_view query, size_t from, size_t to, std::vector<size_t>& open) {
    for (size_t at = from; at < to;) {
      const auto rest = query.substr(at, to - at);
      if (rest.starts_with("{{")) {
        open.push_back(at);
        at += 2;
      } else if (rest.starts_with("}}") && !open.empty()) {
        escapes_[open.back()] = escapes_[at] = true;
        open.pop_back();
        at += 2;
      } else {
        const auto name = rest.front() == '{' ? name_at(rest) : std::string_view{};
        at += name.empty() ? 1 : name.size() + 2;
      }
    }
  }
  [[nodiscard]] bool at(size_t position) const { return escapes_[position]; }

 private:
  std::vector<bool> escapes_;
};

// The query as tokens, and where in it the placeholders are.
class Query {
 public:
  Query(std::string_view text, SqlDialect dialect)
      : text_(text), dialect_(dialect), tokens_(scan_sql(text, dialect)), pairs_(text.size()) {
    std::vector<size_t> open_in_code;
    each_region([&](const SqlToken* literal, size_t from, size_t to) {
      std::vector<size_t> own;
      pairs_.read(text_, from, to, literal == nullptr ? open_in_code : own);
    });
  }

  // visit(literal, from, to): the body of each literal and quoted name, and with nullptr each stretch of code.
  void each_region(auto&& visit) const {
    size_t code = 0;
    size_t at = 0;
    const auto end_code = [&](size_t to) {
      if (code < to) visit(nullptr, code, to);
    };
    for (const auto& token : tokens_) {
      if (token.is_quoted() || token.is_comment()) {
        end_code(at);
        const auto close = at + token.text.size() - token.close;
        if (token.is_quoted() && at + token.open < close) visit(&token, at + token.open, close);
        code = at + token.text.size();
      }
      at += token.text.size();
    }
    end_code(at);
  }

  // Calls take(piece) for the pieces of a region.
  void each_piece(size_t from, size_t to, auto&& take) const {
    size_t plain = from;
    const auto end_plain = [&](size_t at) {
      if (plain < at) take(Piece{Piece::Kind::plain, plain, at});
    };
    for (size_t at = from; at < to;) {
      if (text_[at] != '{' && text_[at] != '}') {
        ++at;
        continue;
      }
      Piece piece;
      if (pairs_.at(at)) {
        piece = {Piece::Kind::escape, at, at + 2};
      } else if (const auto name = text_[at] == '{' ? name_at(text_.substr(at, to - at)) : std::string_view{};
                 !name.empty()) {
        piece = {Piece::Kind::placeholder, at, at + name.size() + 2, name};
      } else {
        ++at;
        continue;
      }
      end_plain(piece.from);
      take(piece);
      at = plain = piece.to;
    }
    end_plain(to);
  }

  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] SqlDialect dialect() const { return dialect_; }
  [[nodiscard]] const std::vector<SqlToken>& tokens() const { return tokens_; }
  [[nodiscard]] size_t offset(const SqlToken& token) const {
    return static_cast<size_t>(token.text.data() - text_.data());
  }

 private:
  std::string_view text_;
  SqlDialect dialect_;
  std::vector<SqlToken> tokens_;
  Pairs pairs_;
};

void add_once(std::vector<std::string>& names, std::set<std::string_view>& seen, std::string_view name) {
  if (seen.insert(name).second) names.emplace_back(name);
}

std::string clipped(std::string_view text) {
  constexpr size_t kShown = 60;
  std::string shown;
  for (const char c : text.substr(0, kShown)) shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  shown = to_utf8(shown);
  return text.size() <= kShown ? shown : shown + "...";
}

// Databases name it without a prefix only in these forms: DATE '2026-01-01', TIMESTAMP WITH TIME ZONE '...'.
bool is_time_word(std::string_view word) {
  return std::ranges::any_of(
      std::to_array<std::string_view>({"date", "time", "timestamp", "timestamptz", "datetime", "interval"}),
      [&](std::string_view one) { return same_word(word, one); });
}

bool is_constant_word(std::string_view word) {
  return same_word(word, "null") || same_word(word, "true") || same_word(word, "false");
}

// A quoted text that every setting of its database reads alike.
bool is_one_text(const SqlToken& token, SqlDialect dialect) {
  if (token.kind != SqlKind::text || token.quote != '\'' || !token.closed || token.ambiguous) return false;
  const bool unsure = dialect == SqlDialect::postgresql && !token.backslashes;
  return !unsure || token.body().find('\\') == std::string_view::npos;
}

bool is_number(std::string_view text) {
  size_t at = 0;
  size_t digits = 0;
  const auto skip_digits = [&] {
    while (at < text.size() && is_digit(text[at])) ++at, ++digits;
  };
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  skip_digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    skip_digits();
  }
  if (digits == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    digits = 0;
    skip_digits();
    if (digits == 0) return false;
  }
  return at == text.size();
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// What the output must consist of; blanks do not count.
using Expected = std::vector<std::pair<SqlKind, std::string>>;

class Substitution {
 public:
  Substitution(const Query& query, const std::map<std::string, WatermarkValue>& values)
      : query_(query), values_(values) {}

  std::variant<std::string, SubstitutionError> run() {
    for (const auto& [name, value] : values_) check_text(name, value);
    token_ = query_.tokens().begin();
    query_.each_region([&](const SqlToken* literal, size_t from, size_t to) {
      if (error_) return;
      if (literal == nullptr) {
        code(from, to);
      } else {
        quoted(*literal, from, to);
      }
    });
    copy_until(query_.text().size());
    if (!error_) verify();
    if (error_) return std::move(*error_);
    return std::move(out_);
  }

 private:
  void refuse(std::string message, std::string hint) {
    if (!error_) error_ = SubstitutionError{true, std::move(message), std::move(hint)};
  }
  [[nodiscard]] std::string place(size_t at) const { return fmt::format("line {}", line_at(query_.text(), at)); }

  void check_text(const std::string& name, const WatermarkValue& value) {
    if (value.text.find('\0') != std::string::npos) {
      refuse(fmt::format("watermark {}: its value contains a NUL character", name), "no SQL can contain it");
    } else if (!value.raw && !is_valid_utf8(value.text)) {
      refuse(fmt::format("watermark {}: its value is not valid UTF-8", name),
             "convert it in resolver_sql, for example to hexadecimal digits");
    }
  }

  // Copies the tokens before `end`, which no placeholder touches.
  void copy_until(size_t end) {
    while (token_ != query_.tokens().end() && query_.offset(*token_) < end) {
      out_ += token_->text;
      expect(token_->kind, std::string(token_->text));
      ++token_;
    }
  }
  void expect(SqlKind kind, std::string text) {
    if (kind != SqlKind::space) expected_.emplace_back(kind, std::move(text));
  }
  void skip_until(size_t end) {
    while (token_ != query_.tokens().end() && query_.offset(*token_) < end) ++token_;
  }

  void code(size_t from, size_t to);
  void value_in_code(const Piece& piece);
  [[nodiscard]] bool joins_a_text(const Piece& piece) const;
  [[nodiscard]] bool goes_on() const;  // the literal before token_
  void quoted(const SqlToken& literal, size_t from, size_t to);
  std::optional<std::string> escaped(const SqlToken& literal, const Piece& piece, std::string_view value);
  void finish_quoted(const SqlToken& literal, std::string body, bool rewritten, std::string_view name);
  void verify();

  const Query& query_;
  const std::map<std::string, WatermarkValue>& values_;
  std::vector<SqlToken>::const_iterator token_;
  std::string out_;
  Expected expected_;
  bool raw_ = false;  // some value went in as it is: nothing can be expected
  std::optional<SubstitutionError> error_;
};

void Substitution::code(size_t from, size_t to) {
  query_.each_piece(from, to, [&](const Piece& piece) {
    if (error_) return;
    if (piece.kind == Piece::Kind::plain) return copy_until(piece.to);
    copy_until(piece.from);
    if (piece.kind == Piece::Kind::escape) {
      const auto brace = query_.text().substr(piece.from, 1);
      out_ += brace;
      expect(SqlKind::symbol, std::string(brace));
    } else {
      value_in_code(piece);
    }
    skip_until(piece.to);
  });
}

// The nearest tokens but blanks, on either side of a placeholder.
bool Substitution::joins_a_text(const Piece& piece) const {
  const auto& tokens = query_.tokens();
  auto before = token_;
  while (before != tokens.begin()) {
    --before;
    if (before->is_blank()) continue;
    if (before->kind == SqlKind::text) return true;
    break;
  }
  for (auto after = token_; after != tokens.end(); ++after) {
    if (query_.offset(*after) < piece.to || after->is_blank()) continue;
    return after->kind == SqlKind::text;
  }
  return false;
}

void Substitution::value_in_code(const Piece& piece) {
  const std::string name(piece.name);
  const auto& given = values_.at(name);
  if (given.raw) {
    raw_ = true;
    out_ += given.text;
    return;
  }
  const auto value = trimmed(given.text);
  if (!is_single_literal(value, query_.dialect())) {
    return refuse(
        fmt::format("watermark {0}: its value {1} is not a single SQL literal, and {{{0}}} has no quotes around it "
                    "(source_query, {2})",
                    name, value.empty() ? "is empty: it" : fmt::format("\"{}\"", clipped(value)), place(piece.from)),
        fmt::format("put quotes around it: '{{{0}}}'; if the value is SQL on purpose, such as a list of keys, set "
                    "raw: true on watermark {0}",
                    name));
  }
  const bool is_text = value.back() == '\'';
  if (is_text && joins_a_text(piece)) {
    return refuse(fmt::format("watermark {0}: its value is a quoted text, and {{{0}}} has another one next to it "
                              "(source_query, {1})",
                              name, place(piece.from)),
                  "databases join such texts: put an operator between them");
  }
  // 5 - -1, not a comment.
  const bool sign = value.front() == '-' || value.front() == '+';
  constexpr std::string_view kOperators = "+-*/<>=~!@#%^&|`?:";
  if (sign && !out_.empty() && kOperators.find(out_.back()) != std::string_view::npos) out_ += ' ';
  out_ += value;
  for (const auto& token : scan_sql(value, query_.dialect())) expect(token.kind, std::string(token.text));
}

bool Substitution::goes_on() const {
  const auto next = std::find_if(token_, query_.tokens().end(), [](const auto& token) { return !token.is_blank(); });
  return next != query_.tokens().end() && next->continued;
}

void Substitution::quoted(const SqlToken& literal, size_t from, size_t to) {
  const auto start = query_.offset(literal);
  copy_until(start);
  std::string body;
  bool changed = false;
  bool backslash_in_value = false;
  std::string_view last;
  query_.each_piece(from, to, [&](const Piece& piece) {
    if (error_) return;
    if (piece.kind == Piece::Kind::plain) {
      body += query_.text().substr(piece.from, piece.to - piece.from);
      return;
    }
    changed = true;
    if (piece.kind == Piece::Kind::escape) {
      body += query_.text()[piece.from];
      return;
    }
    const auto& given = values_.at(std::string(piece.name));
    last = piece.name;
    if (given.raw) {
      raw_ = true;
      body += given.text;
      return;
    }
    if (const auto value = escaped(literal, piece, given.text)) {
      body += *value;
      backslash_in_value = backslash_in_value || value->find('\\') != std::string::npos;
    }
  });
  if (error_ || !changed) return;
  skip_until(start + literal.text.size());
  // Whatever standard_conforming_strings says, E'' reads the same. A literal that continues on the next line would
  // include that line.
  const bool plain = query_.dialect() == SqlDialect::postgresql && literal.kind == SqlKind::text &&
                     literal.quote == '\'' && !literal.backslashes && literal.open == 1 && !literal.continued &&
                     !goes_on();
  finish_quoted(literal, std::move(body), plain && backslash_in_value, last);
}

std::optional<std::string> Substitution::escaped(const SqlToken& literal, const Piece& piece, std::string_view value) {
  const std::string name(piece.name);
  const auto dialect = query_.dialect();
  const auto no = [&](const std::string& why, const std::string& hint) {
    refuse(fmt::format("watermark {}: its value \"{}\" {} (source_query, {})", name, clipped(value), why,
                       place(piece.from)),
           hint);
    return std::nullopt;
  };
  if (literal.coded) {
    const bool harmless = std::ranges::all_of(value, is_name_char);
    if (!harmless) {
      return no("has characters that a literal with a prefix reads as codes", "use a literal without a prefix: '...'");
    }
  }
  if (literal.quote == '$') return std::string(value);  // finish_quoted looks for the end
  const bool backslash = value.find('\\') != std::string_view::npos;
  if (backslash && dialect == SqlDialect::generic) {
    return no("contains a backslash, and whether this database reads it as an escape is not known to Pipekit",
              "replace backslashes in resolver_sql, or set raw: true and escape them there");
  }
  if (literal.quote == ']' && dialect == SqlDialect::sqlite && value.find(']') != std::string_view::npos) {
    return no("contains a ], which SQLite cannot have inside [ ]", "quote the name with double quotes");
  }
  std::string out;
  out.reserve(value.size() + 2);
  for (const char c : value) {
    if (c == literal.quote || (c == '\\' && literal.backslashes)) out += c;
    out += c;
  }
  return out;
}

void Substitution::finish_quoted(const SqlToken& literal, std::string body, bool rewritten, std::string_view name) {
  std::string whole;
  if (rewritten) {
    std::string doubled;
    for (const char c : body) doubled += c == '\\' ? "\\\\" : std::string(1, c);
    body = std::move(doubled);
    if (!out_.empty() && (is_name_char(out_.back()) || out_.back() == '$')) out_ += ' ';
    whole = "E'" + body + "'";
  } else {
    whole = std::string(literal.text.substr(0, literal.open)) + body +
            std::string(literal.text.substr(literal.text.size() - literal.close));
  }
  if (literal.quote == '$') {
    const auto tag = literal.text.substr(0, literal.open);
    if ((body + std::string(tag)).find(tag) != body.size()) {
      return refuse(
          fmt::format("watermark {}: its value contains {}, which would end the text around {{{}}}", name, tag, name),
          "choose another tag in source_query: $other$ ... $other$");
    }
  }
  if (query_.dialect() == SqlDialect::sqlserver &&
      (body.find("\\\n") != std::string::npos || body.find("\\\r\n") != std::string::npos)) {
    return refuse(fmt::format("watermark {}: with its value a line of a string ends with a backslash, and SQL Server "
                              "joins such a line to the next",
                              name),
                  "replace the backslash in resolver_sql");
  }
  out_ += whole;
  expect(literal.kind, std::move(whole));
}

// The belt to the braces: whatever the rules above have overlooked, no value becomes anything but itself.
void Substitution::verify() {
  if (raw_) return;
  SqlScanner scanner(out_, query_.dialect());
  size_t at = 0;
  while (const auto token = scanner.next()) {
    if (token->kind == SqlKind::space) continue;
    const bool same =
        at < expected_.size() && expected_[at].first == token->kind && expected_[at].second == token->text;
    if (!same) {
      return refuse(
          fmt::format("with the values of its watermarks source_query would mean something else near \"{}\"",
                      clipped(token->text)),
          "put a blank between a placeholder and what is next to it; if the value is SQL on purpose, set raw: "
          "true on its watermark");
    }
    ++at;
  }
  if (at != expected_.size()) refuse("with the values of its watermarks a part of source_query would be lost", "");
}

SubstitutionError mismatch(const std::vector<std::string>& unknown, const std::vector<std::string>& unused) {
  std::string message;
  if (!unknown.empty()) message = fmt::format("no value for {{{}}}", fmt::join(unknown, "}, {"));
  if (!unused.empty()) {
    message += fmt::format("{}not used in the query: {}", message.empty() ? "" : "; ", fmt::join(unused, ", "));
  }
  return {false, message,
          "every {name} needs a watermark and every watermark its {name} outside of comments; write {{name}} for the "
          "text {name}"};
}

bool joins(char c) {
  return is_name_char(c) || (static_cast<unsigned char>(c) & 0x80U) != 0 ||
         std::string_view("$@#.'\"`\\{}").find(c) != std::string_view::npos;
}

}  // namespace

bool is_placeholder_name(std::string_view text) {
  return !text.empty() && is_letter(text.front()) && std::all_of(text.begin(), text.end(), is_name_char);
}

bool is_single_literal(std::string_view value, SqlDialect dialect) {
  if (is_number(value)) return true;
  std::vector<SqlToken> tokens;
  SqlScanner scanner(value, dialect);
  while (const auto token = scanner.next()) {
    if (token->kind == SqlKind::space) continue;
    constexpr size_t kLongest = 5;  // TIMESTAMP WITH TIME ZONE '...'
    if (tokens.size() == kLongest) return false;
    tokens.push_back(*token);
  }
  if (tokens.empty()) return false;
  if (tokens.size() == 1) {
    return tokens[0].kind == SqlKind::word ? is_constant_word(tokens[0].text) : is_one_text(tokens[0], dialect);
  }
  if (tokens[0].kind != SqlKind::word || !is_time_word(tokens[0].text) || !is_one_text(tokens.back(), dialect) ||
      tokens.back().open != 1) {
    return false;
  }
  if (tokens.size() == 2) return true;
  return tokens.size() == 5 && (same_word(tokens[1].text, "with") || same_word(tokens[1].text, "without")) &&
         same_word(tokens[2].text, "time") && same_word(tokens[3].text, "zone");
}

Placeholders placeholders_in(std::string_view text, SqlDialect dialect) {
  const Query query(text, dialect);
  Placeholders found;
  std::set<std::string_view> seen;
  std::set<std::string_view> bare;
  query.each_region([&](const SqlToken* literal, size_t from, size_t to) {
    query.each_piece(from, to, [&](const Piece& piece) {
      if (piece.kind != Piece::Kind::placeholder) return;
      add_once(found.used, seen, piece.name);
      if (literal == nullptr) add_once(found.bare, bare, piece.name);
    });
  });
  for (const auto& token : query.tokens()) {
    if (!token.is_comment()) continue;
    for (auto at = token.text.find('{'); at != std::string_view::npos; at = token.text.find('{', at + 1)) {
      if (const auto name = name_at(token.text.substr(at)); !name.empty()) add_once(found.in_comments, seen, name);
    }
  }
  return found;
}

namespace {

class Places {
 public:
  Places(const Query& query, const std::set<std::string>& raw) : query_(query), raw_(raw) {}

  std::vector<QueryProblem> read() {
    bool any = false;
    query_.each_region([&](const SqlToken* literal, size_t from, size_t to) {
      query_.each_piece(from, to, [&](const Piece& piece) {
        if (piece.kind != Piece::Kind::placeholder || raw_.contains(std::string(piece.name))) return;
        any = true;
        if (literal == nullptr) {
          in_code(piece);
        } else {
          in_literal(*literal, piece);
        }
      });
    });
    if (any) boundaries();
    return std::move(problems_);
  }

 private:
  void add(size_t at, const std::string& what, std::string hint) {
    problems_.push_back({fmt::format("line {}: {}", line_at(query_.text(), at), what), std::move(hint)});
  }

  void in_code(const Piece& piece) {
    const auto text = query_.text();
    // ?1 and :a are parameters.
    const bool before =
        piece.from > 0 && (joins(text[piece.from - 1]) || text[piece.from - 1] == '?' || text[piece.from - 1] == ':');
    const bool after = piece.to < text.size() && joins(text[piece.to]);
    if (!before && !after) return;
    const auto from = piece.from - std::min<size_t>(piece.from, before ? 12 : 0);
    add(piece.from,
        fmt::format("{{{}}} touches the text next to it: \"{}\"", piece.name,
                    clipped(text.substr(from, piece.to + (after ? 12 : 0) - from))),
        fmt::format("put a blank between them; if the value is a part of a name, set raw: true on watermark {}",
                    piece.name));
  }

  // An escape that begins before the value would take its first character.
  void in_literal(const SqlToken& literal, const Piece& piece) {
    const auto text = query_.text();
    size_t backslashes = 0;
    while (literal.backslashes && text[piece.from - backslashes - 1] == '\\') ++backslashes;
    if (backslashes % 2 == 0) return;
    add(piece.from, fmt::format("the backslash before {{{}}} would change its value", piece.name), "write two of them");
  }

  // Where it is not certain what is a literal, a value is not safe anywhere after it.
  void boundaries() {
    for (const auto& token : query_.tokens()) {
      const auto at = query_.offset(token);
      if (!token.closed && !(query_.dialect() == SqlDialect::sqlite && token.is_comment())) {
        return add(at, fmt::format("{} is not closed", clipped(token.text)), "");
      }
      if (token.kind == SqlKind::variable && token.text.find('{') != std::string_view::npos) {
        return add(at, fmt::format("{} is one variable to SQLite", clipped(token.text)), "put a blank before {");
      }
      if (token.ambiguous) return add_ambiguous(at, token);
    }
  }

  void add_ambiguous(size_t at, const SqlToken& token) {
    if (token.kind == SqlKind::line_comment && token.text.find('\r') != std::string_view::npos) {
      return add(at, "databases disagree on whether a carriage return without a line feed ends a comment",
                 "end lines with LF or with CRLF");
    }
    if (query_.dialect() == SqlDialect::mysql) {
      return add(at, "a query with watermarks cannot have a conditional comment, /*! */", "remove it");
    }
    add(at, fmt::format("databases disagree on where {} ends, and Pipekit does not know this one", clipped(token.text)),
        "write it without backslashes, # and $ quotes, or set raw: true on the watermarks");
  }

  const Query& query_;
  const std::set<std::string>& raw_;
  std::vector<QueryProblem> problems_;
};

}  // namespace

std::vector<QueryProblem> unsafe_places(std::string_view text, SqlDialect dialect, const std::set<std::string>& raw) {
  const Query query(text, dialect);
  return Places(query, raw).read();
}

std::variant<std::string, SubstitutionError> substitute(std::string_view text, SqlDialect dialect,
                                                        const std::map<std::string, WatermarkValue>& values) {
  const auto names = placeholders_in(text, dialect).used;
  std::vector<std::string> unknown;
  std::ranges::copy_if(names, std::back_inserter(unknown), [&](const auto& name) { return !values.contains(name); });
  std::vector<std::string> unused;
  for (const auto& [name, value] : values) {
    if (std::ranges::find(names, name) == names.end()) unused.push_back(name);
  }
  if (!unknown.empty() || !unused.empty()) return mismatch(unknown, unused);
  std::set<std::string> raw;
  for (const auto& [name, value] : values) {
    if (value.raw) raw.insert(name);
  }
  const Query query(text, dialect);
  if (const auto problems = Places(query, raw).read(); !problems.empty()) {
    return SubstitutionError{true, "source_query, " + problems.front().message, problems.front().hint};
  }
  return Substitution(query, values).run();
}

}  // namespace pipekit
