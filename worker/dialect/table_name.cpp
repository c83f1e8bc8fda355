#include "worker/dialect/table_name.h"

#include <fmt/format.h>

#include "worker/dialect/quoting.h"

namespace pipekit::worker {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool continues_name(char c) { return begins_name(c) || is_digit(c) || c == '$'; }

class NameParser {
 public:
  NameParser(std::string_view text, std::string_view opening_quotes) : text_(text), opening_quotes_(opening_quotes) {}

  Result<std::vector<NamePart>> parse() {
    std::vector<NamePart> parts;
    do {
      auto one = part();
      if (!one) return one.error();
      parts.push_back(std::move(*one));
    } while (accept('.'));
    if (at_ < text_.size()) return refuse(fmt::format("there is {} after the name", here()));
    if (parts.size() > 2) return refuse("it has more than two parts");
    return parts;
  }

 private:
  Result<NamePart> part() {
    skip_blanks();
    if (at_ == text_.size()) return refuse(text_.empty() ? "it is empty" : "it ends where a name is expected");
    auto one = opening_quotes_.find(text_[at_]) != std::string_view::npos ? quoted() : bare();
    skip_blanks();
    return one;
  }

  Result<NamePart> bare() {
    if (!begins_name(text_[at_])) return refuse(fmt::format("a name cannot begin with {}", here()));
    const size_t begin = at_;
    while (at_ < text_.size() && continues_name(text_[at_])) ++at_;
    return NamePart{std::string{text_.substr(begin, at_ - begin)}, false};
  }

  Result<NamePart> quoted() {
    const char close = text_[at_] == '[' ? ']' : text_[at_];
    NamePart part{{}, true};
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\0') return refuse("it contains a NUL");
      if (c == close) {
        ++at_;
        if (close == ']' || at_ == text_.size() || text_[at_] != close) return finished(std::move(part));
      }
      part.text += c;
    }
    return refuse(fmt::format("the closing {} is missing", close));
  }

  Result<NamePart> finished(NamePart part) {
    if (part.text.empty()) return refuse("a quoted name is empty");
    return part;
  }

  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  bool accept(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  [[nodiscard]] std::string here() const {
    const char c = text_[at_];
    if (c < 0x20 || c == 0x7f)
      return fmt::format("byte {:#04x} at position {}", static_cast<unsigned char>(c), at_ + 1);
    return fmt::format("\"{}\" at position {}", c, at_ + 1);
  }
  [[nodiscard]] Error refuse(std::string_view reason) const { return bad_table_name(text_, reason); }

  std::string_view text_;
  std::string_view opening_quotes_;
  size_t at_ = 0;
};

}  // namespace

Result<std::vector<NamePart>> parse_table_name(std::string_view written, std::string_view opening_quotes) {
  return NameParser{written, opening_quotes}.parse();
}

Error bad_table_name(std::string_view written, std::string_view reason) {
  return {ErrorCode::kInvalid, fmt::format("\"{}\" is not the name of a table: {}", written, reason),
          "write table or schema.table; put names with characters other than letters, digits and _ in double quotes"};
}

bool is_plain(std::string_view name) {
  if (name.empty() || is_digit(name.front())) return false;
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || is_digit(c) || c == '_')) return false;
  }
  return true;
}

std::string canonical_part(std::string_view name) {
  return is_plain(name) ? std::string{name} : quote_identifier(name);
}

}  // namespace pipekit::worker
