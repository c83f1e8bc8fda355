#include "tests/system/document.h"

#include <regex>
#include <sstream>

namespace pipekit::test {
namespace {

constexpr std::string_view kIndent = "    ";

struct Fence {
  std::string language;
  std::string file;
};

class Reader {
 public:
  explicit Reader(const std::string& text) : text_(text) {}

  std::vector<DocumentStep> read() {
    std::string line;
    for (std::istringstream lines(text_); std::getline(lines, line);) {
      ++number_;
      if (line.starts_with("```")) {
        fence(line.substr(3));
      } else if (fence_ && fence_->file.empty()) {
        if (fence_->language == "console") terminal(line);
      } else if (fence_) {
        std::get<DocumentFile>(steps_.back()).content += line + "\n";
      } else if (line.starts_with(kIndent)) {
        terminal(line.substr(kIndent.size()));
      } else if (!line.empty()) {
        in_output_ = false;
      }
    }
    return std::move(steps_);
  }

 private:
  void fence(const std::string& info) {
    in_output_ = false;
    if (fence_) {
      fence_.reset();
      return;
    }
    std::istringstream words(info);
    fence_.emplace();
    words >> fence_->language >> fence_->file;
    if (!fence_->file.empty()) steps_.emplace_back(DocumentFile{fence_->file, ""});
  }

  void terminal(const std::string& line) {
    if (!line.starts_with("$ ")) {
      if (in_output_) std::get<DocumentCommand>(steps_.back()).output.push_back(line);
      return;
    }
    static const std::regex kExit(R"(^\$ (.*?)(\s+# exit (\d+))?$)");
    std::smatch found;
    std::regex_match(line, found, kExit);
    steps_.emplace_back(DocumentCommand{number_, found[1], found[3].matched ? std::stoi(found[3]) : 0, {}});
    in_output_ = true;
  }

  const std::string& text_;
  std::vector<DocumentStep> steps_;
  std::optional<Fence> fence_;
  bool in_output_ = false;
  int number_ = 0;
};

std::string comparable(std::string line) {
  static const std::vector<std::pair<std::regex, std::string>> kVarying = {
      {std::regex(R"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z| [A-Z]{3,5}\b)?)"), "TIME"},
      {std::regex(R"(\b\d\d:\d\d:\d\d\b)"), "TIME"},
      {std::regex(R"(\b(now|(\d+[smhd] )+ago|in \d+[smhd]( \d+[smhd])*)\b)"), "AGO"},
      {std::regex(R"(\b\d+(\.\d+)? ?(ms|s|m|h|d)\b( \d+ ?(ms|s|m|h)\b)*)"), "SPAN"},
      {std::regex(R"(duration_ms=\d+)"), "duration_ms=N"},
      {std::regex(R"(_[0-9a-f]{8}_)"), "_HASH_"},
      {std::regex(R"((?: *[^ ]+| +)…$)"), " CUT"},
      {std::regex(R"( {2,})"), "  "},
      {std::regex(R"(^ +| +$)"), ""},
  };
  for (const auto& [pattern, word] : kVarying) line = std::regex_replace(line, pattern, word);
  return line;
}

}  // namespace

std::vector<DocumentStep> read_document(const std::string& text) { return Reader(text).read(); }

std::vector<std::string> comparable_lines(const std::string& text) {
  std::vector<std::string> list;
  std::string line;
  for (std::istringstream lines(text); std::getline(lines, line);) {
    if (auto plain = comparable(line); !plain.empty()) list.push_back(std::move(plain));
  }
  return list;
}

bool is_as_shown(const std::vector<std::string>& shown, const std::vector<std::string>& printed) {
  size_t at = 0;
  bool any_lines = false;
  for (const auto& line : shown) {
    if (line == "…") {
      any_lines = true;
      continue;
    }
    while (any_lines && at < printed.size() && printed[at] != line) ++at;
    if (at == printed.size() || printed[at] != line) return false;
    ++at;
    any_lines = false;
  }
  return any_lines || at == printed.size();
}

}  // namespace pipekit::test
