#include "broker/definitions/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "shared/nearest.h"
#include "shared/utf8.h"

namespace pipekit::definitions {
namespace {

constexpr size_t kLongestName = 100;
constexpr size_t kLongestText = 1U << 20U;

std::string type_of(const Json& value) {
  if (value.is_string()) return "text";
  if (value.is_array()) return "a list";
  if (value.is_object()) return "a map";
  if (value.is_boolean()) return "true or false";
  return value.is_number_float() ? "a fraction" : "a number";
}

std::string quoted(const std::string& text) {
  if (!is_valid_utf8(text)) return "what is given";
  constexpr size_t kShown = 60;
  if (text.size() <= kShown) return fmt::format("'{}'", text);
  return fmt::format("'{}...'", text.substr(0, valid_utf8_prefix(std::string_view(text).substr(0, kShown))));
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }
bool is_control_in_text(char c) { return is_control(c) && c != '\t' && c != '\n' && c != '\r'; }
bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

// The value of one field; collects what is wrong with it.
class FieldCheck {
 public:
  FieldCheck(const Field& field, std::string path, Problems& problems)
      : field_(field), path_(std::move(path)), problems_(problems) {}

  Json value(const Json& given) {
    switch (field_.type) {
      case FieldType::text:
        return expect(given.is_string(), given, "text") ? text(given) : Json();
      case FieldType::integer:
        return expect(given.is_number_integer(), given, "a whole number") ? integer(given) : Json();
      case FieldType::boolean:
        return expect(given.is_boolean(), given, "true or false") ? given : Json();
      case FieldType::text_list:
        return text_list(given);
      case FieldType::reference:
        if (given.is_number_integer()) {
          return fail("must be a name, not a number",
                      "write the name of the object; if the name itself consists of digits, put it in quotes");
        }
        return expect(given.is_string(), given, "a name") ? text(given) : Json();
    }
    return {};
  }

 private:
  bool expect(bool holds, const Json& given, std::string_view wanted) {
    if (!holds) fail(fmt::format("must be {}, not {}", wanted, type_of(given)));
    return holds;
  }

  Json text(const Json& given) {
    const auto& value = given.get_ref<const std::string&>();
    if (!is_valid_utf8(value)) return fail("is not valid UTF-8", "save the file as UTF-8");
    if (value.size() > kLongestText) return fail("is longer than 1 MiB");
    if (std::any_of(value.begin(), value.end(), is_control_in_text)) return fail("has a control character");
    if (field_.required && is_blank(value)) return fail("must not be empty");
    if (field_.name == "name") return name(value);
    if (!field_.words.empty()) return word(value);
    return value;
  }

  Json name(const std::string& value) {
    if (value.size() > kLongestName) return fail("is longer than 100 bytes");
    if (std::any_of(value.begin(), value.end(), is_control)) return fail("has a control character");
    if (is_blank(value.substr(0, 1)) || is_blank(value.substr(value.size() - 1))) {
      return fail("begins or ends with a blank");
    }
    return value;
  }

  Json word(const std::string& value) {
    const std::vector<std::string> words(field_.words.begin(), field_.words.end());
    if (std::find(words.begin(), words.end(), value) != words.end()) return value;
    return fail(fmt::format("{} is not one of {}", quoted(value), fmt::join(words, ", ")), did_you_mean(value, words));
  }

  Json integer(const Json& given) {
    const bool too_big = given.is_number_unsigned() && given.get<uint64_t>() > static_cast<uint64_t>(field_.max);
    const bool outside = too_big || given.get<int64_t>() < field_.min || given.get<int64_t>() > field_.max;
    if (!outside) return given.get<int64_t>();
    if (!too_big && field_.min == 0 && given.get<int64_t>() < 0) return fail("must not be negative");
    return fail(fmt::format("must be from {} to {}", field_.min, field_.max));
  }

  Json text_list(const Json& given) {
    const Json list = given.is_string() ? Json::array({given}) : given;
    if (!expect(list.is_array(), given, "text or a list of texts")) return {};
    std::set<std::string> seen;
    for (const auto& item : list) {
      if (enough(problems_)) return {};
      if (!expect(item.is_string(), item, "a list of texts")) return {};
      if (text(item).is_null()) return {};
      const auto& one = item.get_ref<const std::string&>();
      if (is_blank(one)) return fail("has an empty entry");
      if (!seen.insert(one).second) return fail(fmt::format("has {} twice", quoted(one)));
    }
    return list;
  }

  Json fail(std::string message, std::string hint = {}) {
    problems_.push_back({path_, std::move(message), std::move(hint)});
    return {};
  }

  const Field& field_;
  std::string path_;
  Problems& problems_;
};

Json complete_field(const Field& field, const Json& given, const std::string& path, Problems& problems) {
  const auto key = std::string(field.name);
  const auto at = join_path(path, key);
  if (given.contains(key) && !given[key].is_null()) return FieldCheck(field, at, problems).value(given[key]);
  if (field.required) problems.push_back({at, "is missing", std::string(field.about)});
  return field.default_value();
}

void refuse_unknown_keys(Kind kind, const Json& given, const std::string& path, Problems& problems) {
  const auto known = known_keys(kind);
  for (const auto& [key, value] : given.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    if (enough(problems)) return;
    // A key of bytes has no place in a path that goes out as text.
    const auto at = is_valid_utf8(key) ? join_path(path, key) : path;
    problems.push_back(
        {at, fmt::format("a {} has no field {}", to_string(kind), quoted(key)), did_you_mean(key, known)});
  }
}

// A part's entry in its short form as a map: a member may be a name.
Json long_form(Kind kind, const Json& entry) {
  if (kind != Kind::member || entry.is_object()) return entry;
  return Json{{"module", entry}};
}

Json complete_parts(const Part& part, const Json& given, const std::string& path, Problems& problems) {
  Json list = Json::array();
  int64_t last = 0;  // the highest run_order so far
  const auto add = [&](const Json& entry, const std::string& at, int64_t order) {
    auto one = complete(part.kind, long_form(part.kind, entry), at, problems);
    if (one.is_object() && one.contains("run_order")) {
      if (one["run_order"].is_null()) one["run_order"] = order;
      last = std::max(last, one["run_order"].get<int64_t>());
    }
    list.push_back(std::move(one));
  };
  for (size_t i = 0; i < given.size() && !enough(problems); ++i) {
    const auto at = fmt::format("{}[{}]", path, i);
    const auto order = last + 1;
    if (part.kind != Kind::member || !given[i].is_array()) {
      add(given[i], at, order);
      continue;
    }
    for (size_t j = 0; j < given[i].size(); ++j) add(given[i][j], fmt::format("{}[{}]", at, j), order);
  }
  return list;
}

}  // namespace

std::string join_path(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

Json complete(Kind kind, const Json& given, const std::string& path, Problems& problems) {
  if (!given.is_object()) {
    problems.push_back({path, fmt::format("a {} must be a map of its fields, not {}", to_string(kind), type_of(given)),
                        fmt::format("its fields are {}", fmt::join(known_keys(kind), ", "))});
    return {};
  }
  refuse_unknown_keys(kind, given, path, problems);
  Json whole = Json::object();
  for (const auto& field : fields_of(kind)) {
    whole[std::string(field.name)] = complete_field(field, given, path, problems);
  }
  for (const auto& part : parts_of(kind)) {
    const auto key = std::string(part.name);
    auto& list = whole[key] = Json::array();
    if (!given.contains(key) || given[key].is_null()) continue;
    if (given[key].is_array()) {
      list = complete_parts(part, given[key], join_path(path, key), problems);
    } else {
      problems.push_back({join_path(path, key), fmt::format("must be a list, not {}", type_of(given[key])), {}});
    }
  }
  return whole;
}

std::string part_key(Kind kind, const Json& part) {
  if (kind == Kind::watermark) return part["name"];
  if (kind == Kind::member)
    return part["module"].is_string() ? part["module"].get<std::string>() : part["module"].dump();
  if (kind != Kind::schedule) return {};
  if (part["kind"] == "interval") return fmt::format("every {} s", part["every_s"].get<int64_t>());
  return fmt::format("{} ({})", part["cron_expr"].get<std::string>(), part["timezone"].get<std::string>());
}

void sort_parts(Json& definition) {
  const auto sort = [&](Kind kind, const char* name) {
    if (!definition.contains(name)) return;
    struct Placed {
      int64_t order;
      std::string key;
      Json part;
    };
    std::vector<Placed> placed;
    for (auto& one : definition[name]) {
      auto key = part_key(kind, one);
      placed.push_back({one.value("run_order", int64_t{0}), std::move(key), std::move(one)});
    }
    std::ranges::stable_sort(placed, {}, [](const Placed& p) { return std::tie(p.order, p.key); });
    auto& list = definition[name] = Json::array();
    for (auto& one : placed) list.push_back(std::move(one.part));
  };
  for (const auto kind : {Kind::module, Kind::group}) {
    for (const auto& part : parts_of(kind)) sort(part.kind, part.name.data());
  }
}

}  // namespace pipekit::definitions
