// write_yaml: block style throughout, fields in the order of definition_fields.h, SQL of several lines as a block.
#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>

#include "ctl/definition_file.h"
#include "shared/definition_fields.h"

namespace pipekit::ctl {
namespace {

bool is_word_of_yaml(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  static constexpr std::array kWords = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  return std::find(kWords.begin(), kWords.end(), text) != kWords.end();
}

// Read back as this text by every reader of YAML, whatever its version. All else goes into quotes.
bool is_plain(std::string_view text) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
  constexpr std::string_view kMore = "0123456789$./:-";
  if (text.empty() || text.back() == ':') return false;
  if (kLetters.find(text[0]) == std::string_view::npos && text[0] != '$' && text[0] != '/') return false;
  const auto inside = std::string(kLetters) + std::string(kMore);
  return text.find_first_not_of(inside) == std::string_view::npos && !is_word_of_yaml(std::string(text));
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += fmt::format("\\{}", c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string block(std::string_view text, size_t indent) {
  const bool ends = text.ends_with('\n');
  std::string out = !ends ? "|-" : text.ends_with("\n\n") ? "|+" : "|";
  if (ends) text.remove_suffix(1);
  while (true) {
    const auto line = text.substr(0, text.find('\n'));
    out += '\n';
    if (!line.empty()) out += std::string(indent, ' ') + std::string(line);
    if (line.size() == text.size()) return out;
    text.remove_prefix(line.size() + 1);
  }
}

// A definition file may hold these as escapes only.
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f; }

// Blocks have corners (leading blanks, tabs, carriage returns, only newlines): what does not read back is quoted.
bool reads_back(const std::string& yaml, std::string_view text) {
  if (std::any_of(text.begin(), text.end(), is_control)) return false;
  try {
    const auto node = YAML::Load("a:\n  b: " + yaml + "\n  c: d\n");
    return node["a"]["b"].Scalar() == text && node["a"]["c"].Scalar() == "d";
  } catch (const YAML::Exception&) {
    return false;
  }
}

std::string scalar(const Json& value, size_t indent) {
  if (!value.is_string()) return value.dump();
  const auto& text = value.get_ref<const std::string&>();
  if (is_plain(text)) return text;
  if (text.find('\n') != std::string::npos && reads_back(block(text, 4), text)) return block(text, indent);
  return in_quotes(text);
}

class Writer {
 public:
  std::string take() { return std::move(out_); }

  void definitions(std::string_view name, Kind kind, const Json& list, size_t indent) {
    out_ += fmt::format("{}{}:\n", std::string(indent, ' '), name);
    for (const auto& one : list) item(kind, one, indent + 2);
  }

 private:
  // An entry of a list, its dash in column `indent`.
  void item(Kind kind, const Json& one, size_t indent) {
    if (one.is_object()) {
      map(kind, one, indent);
    } else if (one.is_array()) {
      out_ += fmt::format("{}-\n", std::string(indent, ' '));
      for (const auto& beside : one) item(kind, beside, indent + 2);
    } else {
      out_ += fmt::format("{}- {}\n", std::string(indent, ' '), scalar(one, indent + 2));
    }
  }

  void map(Kind kind, const Json& one, size_t indent) {
    bool first = true;
    const auto begin = [&] {
      const auto start = out_.size();
      out_ += std::string(indent + 2, ' ');
      if (std::exchange(first, false)) out_[start + indent] = '-';
    };
    for (const auto& field : fields_of(kind)) {
      const auto given = one.find(std::string(field.name));
      if (given == one.end() || given->is_null()) continue;
      begin();
      if (given->is_array()) {
        texts(field.name, *given, indent + 4);
      } else {
        const auto key = is_word_of_yaml(std::string(field.name)) ? in_quotes(field.name) : std::string(field.name);
        out_ += fmt::format("{}: {}\n", key, scalar(*given, indent + 4));
      }
    }
    for (const auto& part : parts_of(kind)) {
      const auto given = one.find(std::string(part.name));
      if (given == one.end() || !given->is_array() || given->empty()) continue;
      begin();
      out_ += fmt::format("{}:\n", part.name);
      for (const auto& entry : *given) item(part.kind, entry, indent + 4);
    }
    if (first) out_ += fmt::format("{}- {{}}\n", std::string(indent, ' '));
  }

  void texts(std::string_view name, const Json& list, size_t indent) {
    out_ += fmt::format("{}:{}\n", name, list.empty() ? " []" : "");
    for (const auto& text : list) out_ += fmt::format("{}- {}\n", std::string(indent, ' '), scalar(text, indent + 2));
  }

  std::string out_;
};

}  // namespace

std::string write_yaml(const Json& document) {
  Writer writer;
  for (const auto& part : document_parts()) {
    const auto list = document.find(std::string(part.name));
    if (list == document.end() || !list->is_array() || list->empty()) continue;
    writer.definitions(part.name, part.kind, *list, 0);
  }
  return writer.take();
}

}  // namespace pipekit::ctl
