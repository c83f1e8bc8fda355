// write_yaml: block style throughout, fields in the order of definition_fields.h, SQL of several lines as a block.
#include <fmt/format.h>

#include <utility>

#include "ctl/definition_file.h"
#include "ctl/yaml_text.h"
#include "shared/definition_fields.h"

namespace pipekit::ctl {
namespace {

std::string scalar(const Json& value, size_t indent) {
  return value.is_string() ? yaml_text(value.get_ref<const std::string&>(), indent) : value.dump();
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
        out_ += fmt::format("{}: {}\n", yaml_key(field.name), scalar(*given, indent + 4));
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
