#include "shared/yaml_documents.h"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "shared/utf8.h"

namespace pipekit {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Where a document begins with something that no document can begin with (a comma), yaml-cpp reports an empty document,
// does not move on, and reports it again without end, and LoadAll keeps each. So each document has to begin behind the
// one before it. The escapes \N and \_ become one byte, which is not a character. A tag (!!str, !!binary) asks for
// another reading of a value, which nobody here would do.
class Examination : public YAML::EventHandler {
 public:
  explicit Examination(bool utf8) : utf8_(utf8) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (begun_at_ == mark.pos) throw YAML::ParserException(mark, "this belongs to nothing before it");
    begun_at_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    check_tag(mark, tag);
    if (!utf8_ || is_valid_utf8(value)) return;
    throw YAML::ParserException(mark, "the escapes \\N and \\_ are not understood; write \\x85 and \\xa0");
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    check_tag(mark, tag);
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    check_tag(mark, tag);
  }
  void OnMapEnd() override {}

 private:
  // "?" and "" are values without a tag, "!" those in quotes.
  static void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    throw YAML::ParserException(mark, "tags are not supported; write the value alone, in quotes where it is text");
  }

  bool utf8_;
  std::optional<int> begun_at_;
};

// YAML 1.1 breaks lines at these characters, YAML 1.2 does not.
void refuse_other_line_breaks(const std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> kBreaks[] = {
      {"\xC2\x85", "0085"}, {"\xE2\x80\xA8", "2028"}, {"\xE2\x80\xA9", "2029"}};
  for (const auto& [bytes, number] : kBreaks) {
    const auto at = text.find(bytes);
    if (at == std::string::npos) continue;
    YAML::Mark mark;
    mark.line = static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
    const auto name = std::string(number);
    throw YAML::ParserException(mark, "the character U+" + name +
                                          " ends a line for some readers of YAML only; remove it, " +
                                          "or write it as \\u" + name + " in double quotes");
  }
}

// yaml-cpp takes a quote that is open at the end of the text for closed, but refuses the end of a document in quotes.
std::string with_end(const std::string& text) { return text + (text.ends_with('\n') ? "...\n" : "\n...\n"); }

}  // namespace

std::vector<YAML::Node> yaml_documents(const std::string& text) {
  const auto whole = with_end(text);
  if (is_valid_utf8(text)) refuse_other_line_breaks(text);
  std::istringstream in(whole);
  YAML::Parser parser(in);
  Examination examination(is_valid_utf8(text));
  while (parser.HandleNextDocument(examination)) {
  }
  return YAML::LoadAll(whole);
}

std::string null_as_written(const std::string& text, const YAML::Node& node) {
  const size_t start = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;  // not counted by marks
  auto rest = std::string_view(text).substr(std::min(text.size(), start + static_cast<size_t>(node.Mark().pos)));
  if (rest.starts_with('&')) {
    rest.remove_prefix(std::min(rest.find_first_of(" \t\n"), rest.size()));
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n"), rest.size()));
  }
  const auto word = rest.substr(0, rest.find_first_of(" \t\r\n,:]}"));
  for (const std::string_view known : {"null", "~", "Null", "NULL"}) {
    if (word == known) return std::string(word);
  }
  return {};
}

}  // namespace pipekit
