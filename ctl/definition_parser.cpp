#include "ctl/definition_parser.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "shared/nearest.h"
#include "shared/utf8.h"
#include "shared/yaml_documents.h"

namespace pipekit::ctl {
namespace {

constexpr size_t kMaxNodes = 1'000'000;
constexpr int kMaxDepth = 32;

std::string type_of(const YAML::Node& node) {
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a map";
  return "text";
}

bool is_absent(const YAML::Node& node) { return !node.IsDefined() || node.IsNull(); }
// yaml-cpp gives a value in quotes, or as a block, the tag "!".
bool is_plain(const YAML::Node& node) { return node.IsScalar() && node.Tag() != "!"; }

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

int line_at(std::string_view text, size_t offset) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

std::string_view line_text(std::string_view text, int line) {
  for (; line > 1 && !text.empty(); --line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text.substr(0, text.find('\n'));
}

std::string clipped(const std::string& text) {
  constexpr size_t kShown = 60;
  if (text.size() <= kShown) return text;
  return text.substr(0, valid_utf8_prefix(std::string_view(text).substr(0, kShown))) + "...";
}

std::string with_hint(std::string reason, const std::string& hint) {
  return hint.empty() ? reason : fmt::format("{}; {}", reason, hint);
}

std::string syntax_hint(std::string_view message, std::string_view line) {
  const auto blanks = line.substr(0, line.find_first_not_of(" \t"));
  if (blanks.find('\t') != std::string_view::npos) return "the line is indented with a tab: use spaces";
  if (message.find("in scalar") != std::string_view::npos) return "a quote is not closed";
  return {};
}

std::vector<std::string> list_names() {
  std::vector<std::string> names;
  for (const auto& part : document_parts()) names.emplace_back(part.name);
  return names;
}

}  // namespace

void DefinitionParser::fail(const std::string& file, int line, const std::string& reason) {
  problems_.push_back(line > 0 ? fmt::format("{}:{}: {}", file, line, reason) : fmt::format("{}: {}", file, reason));
}

Result<DefinitionSet> DefinitionParser::finish() && {
  if (problems_.empty()) return std::move(set_);
  return Error{ErrorCode::kInvalid, fmt::format("{}", fmt::join(problems_, "\n")), "nothing was changed"};
}

// yaml-cpp takes 0x04 for the end of the text and other bytes as they are.
bool DefinitionParser::is_text(const std::string& text) {
  if (const auto valid = valid_utf8_prefix(text); valid != text.size()) {
    fail(file_, line_at(text, valid), "is not valid UTF-8; save the file as UTF-8");
    return false;
  }
  const auto control = std::find_if(text.begin(), text.end(), is_control);
  if (control != text.end()) {
    fail(file_, line_at(text, static_cast<size_t>(control - text.begin())),
         fmt::format("has the control character 0x{:02x}; remove it", *control));
    return false;
  }
  // U+0080 to U+009F; the line break among them is refused with the others of its kind.
  for (auto at = text.find('\xC2'); at != std::string::npos; at = text.find('\xC2', at + 1)) {
    const auto second = static_cast<unsigned char>(text[at + 1]);
    if (second > 0x9F || second == 0x85) continue;
    fail(file_, line_at(text, at), fmt::format("has the control character U+{:04X}; remove it", second));
    return false;
  }
  return true;
}

void DefinitionParser::add(const std::string& file, const std::string& text) {
  file_ = file;
  text_ = text;
  if (!is_text(text)) return;
  try {
    for (const auto& root : yaml_documents(text)) document(root);
  } catch (const YAML::Exception& error) {
    const int line = error.mark.line + 1;
    fail(file_, line, with_hint(error.msg, syntax_hint(error.msg, line_text(text, line))));
  }
}

bool DefinitionParser::spend(const YAML::Node& node, int depth) {
  if (++visited_ > kMaxNodes || depth > kMaxDepth) return false;
  if (node.IsSequence()) {
    return std::all_of(node.begin(), node.end(), [&](const auto& item) { return spend(item, depth + 1); });
  }
  if (!node.IsMap()) return true;
  return std::all_of(node.begin(), node.end(),
                     [&](const auto& pair) { return spend(pair.first, depth + 1) && spend(pair.second, depth + 1); });
}

void DefinitionParser::document(const YAML::Node& root) {
  if (is_absent(root)) return;
  if (!spend(root, 0)) {
    fail(root, fmt::format("has more than {} entries or is nested deeper than {} (aliases count in full)", kMaxNodes,
                           kMaxDepth));
    return;
  }
  if (!root.IsMap()) {
    fail(root, fmt::format("must be a map with the lists {}, not {}", fmt::join(list_names(), ", "), type_of(root)));
    return;
  }
  for (const auto& [key, node] : fields("a definition file", root, list_names(), Empty::allowed)) {
    for (const auto& part : document_parts()) {
      if (part.name == key) list(part, node);
    }
  }
}

// The pairs of a map whose keys are known and given once.
DefinitionParser::Fields DefinitionParser::fields(std::string_view what, const YAML::Node& node,
                                                  const std::vector<std::string>& known, Empty empty) {
  Fields found;
  std::map<std::string, int> lines;
  for (const auto& pair : node) {
    // `null: default` has the key null to YAML.
    const bool is_null = pair.first.IsNull() && !null_as_written(text_, pair.first).empty();
    if (!pair.first.IsScalar() && !is_null) {
      fail(pair.first, fmt::format("a key of {} must be a word", what));
      continue;
    }
    const auto key = is_null ? std::string("null") : pair.first.Scalar();
    const auto [first, fresh] = lines.emplace(key, line_of(pair.first));
    if (!fresh) {
      fail(pair.first, fmt::format("{} is given twice, first on line {}", clipped(key), first->second));
    } else if (key == "<<") {
      fail(pair.first, "merge keys (<<) are not supported; write the fields out");
    } else if (std::find(known.begin(), known.end(), key) == known.end()) {
      fail(pair.first, with_hint(fmt::format("{} has no key '{}'", what, clipped(key)), did_you_mean(key, known)));
    } else {
      check_null(key, pair.first, pair.second, empty);
      found.emplace_back(key, pair.second);
    }
  }
  return found;
}

void DefinitionParser::check_null(const std::string& key, const YAML::Node& key_node, const YAML::Node& node,
                                  Empty empty) {
  if (!node.IsNull()) return;
  const auto word = null_as_written(text_, node);
  if (word == "null" || word == "~") return;
  if (!word.empty()) {
    fail(key_node, fmt::format("{0} is {1}; write null for no value, or '{1}' in quotes for the text", key, word));
  } else if (node.Mark().pos == key_node.Mark().pos) {
    fail(key_node, fmt::format("{} has no colon and no value", key));
  } else if (empty == Empty::refused) {
    fail(key_node, fmt::format("{} has no value; write one, or remove the line", key));
  }
}

void DefinitionParser::list(const Part& part, const YAML::Node& node) {
  if (is_absent(node)) return;
  const auto name = std::string(part.name);
  if (!node.IsSequence()) {
    fail(node, fmt::format("{} must be a list (each entry begins with '- '), not {}", name, type_of(node)));
    return;
  }
  auto& all = set_.document[name];
  if (all.is_null()) {
    all = Json::array();
    mark(name, node);
  }
  for (const auto& item : node) {
    auto made = definition(part.kind, item, fmt::format("{}[{}]", name, all.size()));
    remember_name(part.kind, made, item);
    all.push_back(std::move(made));
  }
}

void DefinitionParser::remember_name(Kind kind, const Json& made, const YAML::Node& node) {
  if (!made.contains("name")) return;
  const std::string name = made["name"];
  const auto [first, fresh] = names_.emplace(std::pair(kind, name), SourceLine{file_, line_of(node)});
  if (fresh) return;
  fail(node, fmt::format("{} '{}' is defined twice, first at {}:{}", to_string(kind), clipped(name), first->second.file,
                         first->second.line));
}

Json DefinitionParser::definition(Kind kind, const YAML::Node& node, const std::string& path) {
  Json made = Json::object();
  mark(path, node);
  if (!node.IsMap()) {
    fail(node, fmt::format("a {} must be a map of its fields ({}), not {}", to_string(kind),
                           fmt::join(known_keys(kind), ", "), is_absent(node) ? "nothing" : type_of(node)));
    return made;
  }
  for (const auto& [key, given] :
       fields(fmt::format("a {}", to_string(kind)), node, known_keys(kind), Empty::refused)) {
    if (is_absent(given)) continue;
    const auto at = fmt::format("{}.{}", path, key);
    mark(at, given);
    if (const auto* part = find_part(kind, key)) {
      made[key] = parts(*part, given, at);
    } else if (auto read = value(*find_field(kind, key), given, at); !read.is_null()) {
      made[key] = std::move(read);
    }
  }
  return made;
}

Json DefinitionParser::value(const Field& field, const YAML::Node& node, const std::string& path) {
  if (field.type == FieldType::text_list) return text_list(field, node);
  if (!node.IsScalar()) {
    // {name} without quotes is a map to YAML.
    const auto hint = node.IsMap() && field.type == FieldType::text ? "put text with braces in quotes" : "";
    fail(node, with_hint(fmt::format("{} must be {}, not {}", field.name,
                                     field.type == FieldType::integer   ? "a whole number"
                                     : field.type == FieldType::boolean ? "true or false"
                                                                        : "text",
                                     type_of(node)),
                         hint));
    return {};
  }
  mark(path, node);
  if (field.type == FieldType::integer) return integer(field, node);
  if (field.type == FieldType::boolean) return boolean(field, node);
  return node.Scalar();
}

Json DefinitionParser::integer(const Field& field, const YAML::Node& node) {
  const auto& text = node.Scalar();
  const bool negative = text.starts_with('-');
  const auto digits = std::string_view(text).substr(negative ? 1 : 0);
  int64_t number = 0;
  std::string hint = "write it in digits";
  if (!is_plain(node)) {
    hint = "take the quotes away";
  } else if (all_digits(digits) && digits.size() > 1 && digits[0] == '0') {
    const auto first = std::min(digits.find_first_not_of('0'), digits.size() - 1);
    hint = fmt::format("a leading zero reads as octal in YAML: write {}{}", negative ? "-" : "", digits.substr(first));
  } else if (all_digits(digits)) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc()) return number;
    hint = "it is too large";
  }
  fail(node, fmt::format("{} must be a whole number, not '{}'; {}", field.name, clipped(text), hint));
  return {};
}

Json DefinitionParser::boolean(const Field& field, const YAML::Node& node) {
  const auto& text = node.Scalar();
  if (is_plain(node)) {
    for (const auto* word : {"true", "True", "TRUE"}) {
      if (text == word) return true;
    }
    for (const auto* word : {"false", "False", "FALSE"}) {
      if (text == word) return false;
    }
  }
  fail(node, fmt::format("{} must be true or false, not {}", field.name,
                         is_plain(node) ? clipped(text) : fmt::format("text ('{}')", clipped(text))));
  return {};
}

Json DefinitionParser::text_list(const Field& field, const YAML::Node& node) {
  if (node.IsScalar()) return node.Scalar();
  const bool texts =
      node.IsSequence() && std::all_of(node.begin(), node.end(), [](const auto& i) { return i.IsScalar(); });
  if (!texts) {
    fail(node, fmt::format("{} must be text or a list of texts", field.name));
    return {};
  }
  Json list = Json::array();
  for (const auto& item : node) list.push_back(item.Scalar());
  return list;
}

Json DefinitionParser::parts(const Part& part, const YAML::Node& node, const std::string& path) {
  if (!node.IsSequence()) {
    fail(node, fmt::format("{} must be a list, not {}", part.name, type_of(node)));
    return Json::array();
  }
  if (part.kind == Kind::member) return members(node, path);
  Json made = Json::array();
  std::map<std::string, int> names;
  for (const auto& item : node) {
    made.push_back(definition(part.kind, item, fmt::format("{}[{}]", path, made.size())));
    if (!made.back().contains("name")) continue;
    const auto [first, fresh] = names.emplace(made.back()["name"], line_of(item));
    if (fresh) continue;
    fail(item, fmt::format("{} '{}' is defined twice, first on line {}", to_string(part.kind), clipped(first->first),
                           first->second));
  }
  return made;
}

// Every form of a member becomes {module, run_order}, so that a path means one line.
Json DefinitionParser::members(const YAML::Node& node, const std::string& path) {
  Json made = Json::array();
  int64_t last = 0;
  const auto add = [&](const YAML::Node& item, int64_t order) {
    made.push_back(member(item, fmt::format("{}[{}]", path, made.size()), order));
  };
  for (const auto& item : node) {
    const auto order = last + 1;
    if (item.IsSequence()) {
      for (const auto& beside : item) add(beside, order);
    } else {
      add(item, order);
    }
    for (const auto& one : made) last = std::max(last, one.value("run_order", int64_t{0}));
  }
  return made;
}

Json DefinitionParser::member(const YAML::Node& node, const std::string& path, int64_t order) {
  Json made = Json::object();
  if (node.IsScalar()) {
    mark(path, node);
    made["module"] = node.Scalar();
  } else {
    made = definition(Kind::member, node, path);
  }
  if (!made.contains("run_order")) made["run_order"] = order;
  return made;
}

}  // namespace pipekit::ctl
