#include "tests/support/prose.h"

#include <algorithm>
#include <cctype>

namespace pipekit::test {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0; }
bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

class Writer {
 public:
  void put(char c, int line) {
    if (is_space(c)) {
      blank_ = true;
      return;
    }
    if (blank_ && !now_.text.empty()) append(' ', line);
    blank_ = false;
    append(static_cast<char>(std::tolower(static_cast<unsigned char>(c))), line);
  }
  void put(std::string_view text, int line) {
    for (const char c : text) put(c, line);
  }
  void space() { blank_ = true; }
  // Something is left out here, so the words around it are not neighbours.
  void gap(int line) { put(" ~ ", line); }
  void end() {
    if (!now_.text.empty()) all_.push_back(std::move(now_));
    now_ = {};
    blank_ = false;
  }
  std::vector<Passage> take() {
    end();
    return std::move(all_);
  }

 private:
  void append(char c, int line) {
    now_.text += c;
    now_.lines.push_back(line);
  }
  std::vector<Passage> all_;
  Passage now_;
  bool blank_ = false;
};

// Reads C++ and collects literals and comments.
class CppReader {
 public:
  explicit CppReader(std::string_view text) : text_(text) {}

  void read() {
    while (at_ < text_.size()) {
      if (starts("//")) {
        comment(text_.find('\n', at_), 2, 0);
      } else if (starts("/*")) {
        const auto end = text_.find("*/", at_ + 2);
        comment(end == std::string_view::npos ? end : end + 2, 2, 2);
      } else if (starts("#include")) {
        skip_to(text_.find('\n', at_));
      } else if (starts("R\"") && (at_ == 0 || !is_word(text_[at_ - 1]))) {
        raw_literal();
      } else if (text_[at_] == '"') {
        literal();
      } else if (text_[at_] == '\'') {
        character();
      } else {
        if (!is_space(text_[at_])) {
          literals.end();
          comments.end();
        }
        step();
      }
    }
  }

  Writer literals;
  Writer comments;

 private:
  [[nodiscard]] bool starts(std::string_view with) const { return text_.substr(at_).starts_with(with); }
  void step() { line_ += text_[at_++] == '\n' ? 1 : 0; }
  void skip_to(size_t end) {
    end = std::min(end, text_.size());
    while (at_ < end) step();
  }
  void comment(size_t end, size_t before, size_t after) {
    end = std::min(end, text_.size());
    comments.space();
    for (size_t i = 0; at_ < end; ++i) {
      if (i >= before && at_ + after < end) comments.put(text_[at_], line_);
      step();
    }
  }
  void character() {
    const bool number = at_ > 0 && std::isdigit(static_cast<unsigned char>(text_[at_ - 1])) != 0;  // 1'000
    step();
    if (number) return;
    if (starts("\\")) step();
    skip_to(text_.find('\'', at_ + 1));
    if (at_ < text_.size()) step();
    literals.end();
  }
  void literal() {
    comments.end();
    step();
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
      if (text_[at_] != '\\') {
        literals.put(text_[at_], line_);
      } else {
        step();
        if (at_ >= text_.size()) return;
        const char escaped = text_[at_];
        literals.put(escaped == 'n' || escaped == 't' || escaped == 'r' ? ' ' : escaped, line_);
      }
      step();
    }
    if (at_ < text_.size()) step();
  }
  void raw_literal() {
    comments.end();
    const auto open = text_.find('(', at_);
    const auto close = ")" + std::string(text_.substr(at_ + 2, open - at_ - 2)) + "\"";
    skip_to(open + 1);
    const auto end = std::min(text_.find(close, at_), text_.size());
    while (at_ < end) {
      literals.put(text_[at_], line_);
      step();
    }
    skip_to(end + close.size());
  }

  std::string_view text_;
  size_t at_ = 0;
  int line_ = 1;
};

struct Line {
  int number;
  std::string_view text;
};

std::vector<Line> split(std::string_view text) {
  std::vector<Line> lines;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back({number, text.substr(0, end)});
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

void put_markdown(Writer& out, const Line& line, bool& quoted) {
  for (const char c : line.text) {
    if (c == '`') {
      if (!quoted) out.gap(line.number);
      quoted = !quoted;
    } else if (c == '|' && !quoted) {
      out.end();
    } else if (!quoted && c != '*') {
      out.put(c, line.number);
    }
  }
  out.space();
}

// \fBbold\fR, \-, \&, \(bu, \e.
void put_troff(Writer& out, const Line& line, std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') continue;
    if (text[i] != '\\' || i + 1 == text.size()) {
      out.put(text[i], line.number);
      continue;
    }
    ++i;
    if (text[i] == 'f') {
      ++i;
    } else if (text[i] == '(') {
      i += 2;
    } else if (text[i] == '-') {
      out.put('-', line.number);
    }
  }
  out.space();
}

}  // namespace

std::vector<Passage> literals_in(std::string_view source) {
  CppReader reader(source);
  reader.read();
  return reader.literals.take();
}

std::vector<Passage> comments_in(std::string_view source) {
  CppReader reader(source);
  reader.read();
  return reader.comments.take();
}

std::vector<Passage> markdown_in(std::string_view text) {
  Writer out;
  bool fenced = false;
  bool quoted = false;
  bool in_list = false;
  for (const auto& line : split(text)) {
    const auto content = trimmed(line.text);
    const bool indented = line.text.starts_with("    ") && !in_list;
    if (content.starts_with("```")) fenced = !fenced;
    const bool starts_anew = content.empty() || content.starts_with("#") || content.starts_with("- ") ||
                             content.starts_with("```") || fenced || indented;
    if (starts_anew) {
      out.end();
      quoted = false;
    }
    if (content.empty() || fenced || indented || content.starts_with("```")) continue;
    in_list = content.starts_with("- ") || (in_list && line.text.starts_with("  "));
    put_markdown(out, line, quoted);
    if (content.starts_with("#")) out.end();
  }
  return out.take();
}

std::vector<Passage> manual_in(std::string_view text) {
  Writer out;
  for (const auto& line : split(text)) {
    auto content = line.text;
    if (content.starts_with(".")) {
      const auto macro = content.substr(0, content.find(' '));
      if (macro == ".TP" || macro == ".PP" || macro == ".SH" || macro == ".IP" || macro == ".TH") out.end();
      content.remove_prefix(macro.size());
      if (macro == ".IP" || macro == ".TH") continue;
    }
    put_troff(out, line, content);
    if (line.text.starts_with(".SH")) out.end();
  }
  return out.take();
}

std::vector<Passage> lines_in(std::string_view text) {
  Writer out;
  for (const auto& line : split(text)) {
    auto content = trimmed(line.text);
    const bool comment = content.starts_with("#") || content.starts_with("--");
    if (content.empty() || !comment) out.end();
    while (!content.empty() && (content.front() == '#' || content.front() == '-')) content.remove_prefix(1);
    out.put(content, line.number);
    out.space();
    if (!comment) out.end();
  }
  return out.take();
}

std::vector<size_t> places_of(const Passage& passage, std::string_view phrase) {
  std::vector<size_t> places;
  const std::string_view text = passage.text;
  for (auto at = text.find(phrase); at != std::string_view::npos; at = text.find(phrase, at + 1)) {
    const auto end = at + phrase.size();
    if ((at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]))) {
      places.push_back(at);
    }
  }
  return places;
}

}  // namespace pipekit::test
