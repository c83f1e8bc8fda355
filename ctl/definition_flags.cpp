#include "ctl/definition_flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "ctl/definition_file.h"

namespace pipekit::ctl {
namespace {

constexpr std::string_view kFileSuffix = "-file";

std::string flag_name(std::string_view field) {
  std::string name(field);
  std::ranges::replace(name, '_', '-');
  return name;
}

bool is_sql(const Field& field) { return field.name == "source_query" || field.name.ends_with("sql"); }

std::string placeholder(const Field& field) {
  if (is_sql(field)) return "SQL";
  if (field.type == FieldType::integer) return "N";
  if (field.type != FieldType::reference) return "TEXT";
  std::string name(to_string(*field.refers_to));  // CONNECTION
  std::ranges::transform(name, name.begin(), [](char c) { return static_cast<char>(c - 'a' + 'A'); });
  return name;
}

std::vector<std::string> words_of(const Field& field) { return {field.words.begin(), field.words.end()}; }

// A list's items are given one by one, so its flag may be called by the singular.
Flag list_flag(const Field& field) {
  Flag flag{flag_name(field.name), Flag::Type::list, std::string(field.about), "TEXT"};
  if (flag.name.ends_with("s")) {
    flag.aliases.push_back(flag.name);
    flag.name.pop_back();
  }
  return flag;
}

void add_flags(const Field& field, std::vector<Flag>& flags) {
  const auto name = flag_name(field.name);
  const std::string about(field.about);
  if (field.type == FieldType::boolean) {
    flags.push_back({name, Flag::Type::on, about, "", "", {}, {}, true});
  } else if (field.type == FieldType::integer) {
    flags.push_back({name, Flag::Type::integer, about, "N"});
  } else if (field.type == FieldType::text_list) {
    flags.push_back(list_flag(field));
  } else {
    flags.push_back({name, Flag::Type::text, about, placeholder(field), "", words_of(field)});
  }
  if (is_sql(field))
    flags.push_back({name + std::string(kFileSuffix), Flag::Type::text, "the same, read from a file", "FILE"});
}

Error both(const std::string& a, const std::string& b) {
  return {ErrorCode::kUsage, fmt::format("--{} and --{} say the same thing twice", a, b), "leave one of them out"};
}

Result<Json> boolean_from(const std::string& name, const Arguments& args) {
  if (args.has(name) && args.has("no-" + name)) return both(name, "no-" + name);
  if (args.has(name)) return Json(true);
  return args.has("no-" + name) ? Json(false) : Json();
}

Result<Json> text_from(const std::string& name, const Arguments& args) {
  const auto file = name + std::string(kFileSuffix);
  if (!args.has(file)) return args.has(name) ? Json(args.text(name)) : Json();
  if (args.has(name)) return both(name, file);
  auto text = read_text(args.text(file));
  if (!text) return text.error();
  return Json(std::move(*text));
}

// Null: the field was not given.
Result<Json> value_from(const Field& field, const Arguments& args) {
  const auto name = flag_name(field.name);
  switch (field.type) {
    case FieldType::boolean:
      return boolean_from(name, args);
    case FieldType::integer:
      return args.has(name) ? Json(args.integer(name).value_or(0)) : Json();
    case FieldType::text_list: {
      const auto flag = list_flag(field).name;
      return args.has(flag) ? Json(args.list(flag)) : Json();
    }
    default:
      return text_from(name, args);
  }
}

const Part* list_of(Kind kind) {
  for (const auto& part : document_parts()) {
    if (part.kind == kind) return &part;
  }
  return nullptr;
}

// The object as the only item of its list in a definition file; every line moves down by one.
std::string as_document(std::string_view list, const std::string& text) {
  std::string document = fmt::format("{}:\n", list);
  std::istringstream lines(text);
  bool first = true;
  for (std::string line; std::getline(lines, line);) {
    const bool blank = line.find_first_not_of(" \r") == std::string::npos || line == "---";
    const bool comment = !blank && line[line.find_first_not_of(' ')] == '#';
    if (blank) {
      document += "\n";
      continue;
    }
    document += (first && !comment ? "- " : "  ") + line + "\n";
    if (!comment) first = false;
  }
  return document;
}

// "FILE:5: reason" at the beginning of each line -> FILE:4.
std::string one_line_up(const std::string& file, const std::string& message) {
  std::istringstream lines(message);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    if (!out.empty()) out += "\n";
    const auto prefix = file + ":";
    const auto end = line.find(':', prefix.size());
    const auto number = line.starts_with(prefix) && end != std::string::npos
                            ? parse_integer(line.substr(prefix.size(), end - prefix.size()))
                            : std::nullopt;
    out += number ? fmt::format("{}{}{}", prefix, *number - 1, line.substr(end)) : line;
  }
  return out;
}

}  // namespace

std::vector<Flag> definition_flags(Kind kind) {
  std::vector<Flag> flags;
  for (const auto& field : fields_of(kind)) {
    if (field.name != "name") add_flags(field, flags);
  }
  if (kind == Kind::group) flags.push_back({"member", Flag::Type::list, "a module, in the order given", "MODULE"});
  return flags;
}

Result<Json> fields_from(Kind kind, const Arguments& args) {
  Json fields = Json::object();
  for (const auto& field : fields_of(kind)) {
    if (field.name == "name") continue;
    auto value = value_from(field, args);
    if (!value) return value.error();
    if (!value->is_null()) fields[std::string(field.name)] = std::move(*value);
  }
  if (kind == Kind::group && args.has("member")) {
    Json members = Json::array();
    for (const auto& module : args.list("member")) {
      members.push_back({{"module", module}, {"run_order", members.size() + 1}});
    }
    fields["members"] = std::move(members);
  }
  return fields;
}

Result<std::string> read_text(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad() || !file.is_open()) {
    return Error{ErrorCode::kNotFound, fmt::format("cannot read {}: {}", path, std::strerror(errno))};
  }
  return text;
}

Result<Json> definition_from_file(Kind kind, const std::string& path) {
  const auto text = read_text(path);
  if (!text) return text.error();
  const std::string name = path == "-" ? "stdin" : path;
  const auto list = std::string(list_of(kind)->name);
  auto set = parse_definitions(name, as_document(list, *text));
  if (!set) return Error{set.error().code, one_line_up(name, set.error().message), set.error().hint};
  const auto items = set->document.value(list, Json::array());
  if (items.size() == 1) return items.front();
  return Error{ErrorCode::kInvalid, fmt::format("{} must hold the fields of one {}", name, to_string(kind)),
               "several definitions in one file: pipekit-ctl apply -f FILE"};
}

}  // namespace pipekit::ctl
