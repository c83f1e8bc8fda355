// SQL as text: where literals, names, comments and statements begin and end, in the dialect of a database. It reads
// tokens, not grammar. Everything that looks at a user's SQL uses it: placeholders, checks of definitions, splitting of
// scripts. Pure, thread-safe, linear in the length of the text.
//
// To add a dialect: an enumerator, its prefixes in sql_dialect_of(), its row in kRules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pipekit {

// generic: a database that Pipekit does not know. What databases read differently is marked as ambiguous there.
enum class SqlDialect : uint8_t { generic, sqlite, postgresql, mysql, sqlserver, db2 };

// By the URL's prefix. MariaDB is mysql.
SqlDialect sql_dialect_of(std::string_view jdbc_url);
std::string_view to_string(SqlDialect dialect);

enum class SqlKind : uint8_t {
  space,
  line_comment,  // with its line end
  block_comment,
  text,  // 'it''s', E'\n', X'00', $tag$ ... $tag$, in MySQL "..."
  name,  // "a b", `a b`, [a b]
  word,  // a keyword or a name without quotes
  number,
  variable,  // SQLite's @a, :a, $a(...)
  semicolon,
  symbol,  // one character of anything else
};

struct SqlToken {
  SqlKind kind = SqlKind::symbol;
  std::string_view text;     // of the input: all tokens together are the input
  uint32_t open = 0;         // text and name: the length of what opens it, a prefix included
  uint32_t close = 0;        // ... and of what closes it; 0: the input ends before
  char quote = 0;            // text and name: the character that ends it; $: a dollar quote
  bool backslashes = false;  // a backslash escapes the character after it
  bool coded = false;        // X'', B'', U&'': the characters stand for others
  bool continued = false;    // belongs to the literal on the line before ('a' newline 'b' is one in PostgreSQL)
  bool closed = true;
  bool ambiguous = false;  // databases disagree on where it ends

  [[nodiscard]] std::string_view body() const { return text.substr(open, text.size() - open - close); }
  [[nodiscard]] bool is_comment() const { return kind == SqlKind::line_comment || kind == SqlKind::block_comment; }
  [[nodiscard]] bool is_blank() const { return kind == SqlKind::space || is_comment(); }
  [[nodiscard]] bool is_quoted() const { return kind == SqlKind::text || kind == SqlKind::name; }
};

class SqlScanner {
 public:
  // standard_strings: PostgreSQL's standard_conforming_strings. The text must outlive the tokens.
  explicit SqlScanner(std::string_view text, SqlDialect dialect, bool standard_strings = true)
      : text_(text), dialect_(dialect), standard_strings_(standard_strings) {}

  // Nothing at the end of the text.
  std::optional<SqlToken> next();

 private:
  SqlToken token_at(size_t at) const;
  SqlToken comment_to_line_end(size_t at) const;
  SqlToken block_comment(size_t at) const;
  SqlToken quoted(SqlKind kind, size_t at, size_t prefix, bool backslashes, bool coded) const;
  SqlToken bracketed(size_t at) const;
  std::optional<SqlToken> dollar_quoted(size_t at) const;
  SqlToken word(size_t at) const;
  SqlToken number(size_t at) const;
  std::optional<SqlToken> variable(size_t at) const;
  [[nodiscard]] SqlToken slice(SqlKind kind, size_t from, size_t to) const;
  [[nodiscard]] char peek(size_t at) const { return at < text_.size() ? text_[at] : '\0'; }

  std::string_view text_;
  SqlDialect dialect_;
  bool standard_strings_;
  size_t at_ = 0;
  std::optional<SqlToken> literal_;  // PostgreSQL: the last one, while only blanks have followed it
  bool line_ended_ = false;          // ... and whether a line ended since
};

std::vector<SqlToken> scan_sql(std::string_view text, SqlDialect dialect);

// One statement of a script, with the comments before it (they may be hints), without its semicolon.
struct SqlStatement {
  std::string_view text;
  size_t code = 0;  // where in `text` the statement itself begins
  size_t line = 1;  // of that place, in the script

  bool operator==(const SqlStatement&) const = default;
};

// Pieces that are only comments are left out. What is not closed runs to the end. A semicolon ends no statement inside
// parentheses (CREATE RULE ... DO (a; b)), nor inside the body of a trigger or a routine (BEGIN ... END).
std::vector<SqlStatement> split_sql(std::string_view script, SqlDialect dialect, bool standard_strings = true);

// The first literal, name or comment that is not closed: "the string that begins in line 3".
struct OpenPiece {
  std::string what;  // string, quoted name, comment
  size_t line = 1;
};
std::optional<OpenPiece> unclosed_in(std::string_view text, SqlDialect dialect);

size_t line_at(std::string_view text, size_t position);
bool same_word(std::string_view word, std::string_view lower);

}  // namespace pipekit
