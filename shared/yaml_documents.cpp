#include "shared/yaml_documents.h"

#include <yaml-cpp/eventhandler.h>

#include <optional>
#include <sstream>

#include "shared/utf8.h"

namespace pipekit {
namespace {

// What no document can begin with (a comma) yaml-cpp calls an empty document, leaves it where it stands, and finds it
// there again: for ever, and LoadAll keeps each. So each document has to begin behind the one before it. Of the escapes
// \N and \_ it makes one byte, which is no character.
class Examination : public YAML::EventHandler {
 public:
  explicit Examination(bool utf8) : utf8_(utf8) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (begun_at_ == mark.pos) throw YAML::ParserException(mark, "what stands here belongs to nothing before it");
    begun_at_ = mark.pos;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    if (!utf8_ || is_valid_utf8(value)) return;
    throw YAML::ParserException(mark, "the escapes \\N and \\_ are not understood; write \\x85 and \\xa0");
  }
  void OnSequenceStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {}
  void OnMapEnd() override {}

 private:
  bool utf8_;
  std::optional<int> begun_at_;
};

// A quote that is still open at the end of the text yaml-cpp takes for closed; the end of a document inside quotes it
// refuses.
std::string with_end(const std::string& text) { return text + (text.ends_with('\n') ? "...\n" : "\n...\n"); }

}  // namespace

std::vector<YAML::Node> yaml_documents(const std::string& text) {
  const auto whole = with_end(text);
  std::istringstream in(whole);
  YAML::Parser parser(in);
  Examination examination(is_valid_utf8(text));
  while (parser.HandleNextDocument(examination)) {
  }
  return YAML::LoadAll(whole);
}

}  // namespace pipekit
