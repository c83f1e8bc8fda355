#include "broker/definitions/changes.h"

#include <fmt/format.h>

#include <map>

#include "broker/definitions/check.h"

namespace pipekit::definitions {
namespace {

using Keyed = std::map<std::string, Json>;

Keyed keyed_parts(const Part& part, const Json& definition) {
  Keyed keyed;
  if (definition.is_null()) return keyed;
  for (const auto& one : definition.at(std::string(part.name))) {
    const auto key = part.kind == Kind::hook ? std::to_string(keyed.size() + 1) : part_key(part.kind, one);
    keyed.emplace(fmt::format("{}.{}", part.name, key), short_form(part.kind, one));
  }
  return keyed;
}

void compare_parts(const Keyed& from, const Keyed& to, Json& changes) {
  const auto in = [](const Keyed& side, const std::string& key) {
    const auto found = side.find(key);
    return found == side.end() ? Json() : found->second;
  };
  auto keys = from;
  keys.insert(to.begin(), to.end());
  for (const auto& [key, ignored] : keys) {
    if (in(from, key) != in(to, key)) changes[key] = {{"from", in(from, key)}, {"to", in(to, key)}};
  }
}

// Members as names if their orders are 1..n, parallel ones as a list; otherwise unchanged.
Json short_members(const Json& members) {
  Json list = Json::array();
  int64_t last = 0;
  for (const auto& member : members) {
    const auto order = member["run_order"].get<int64_t>();
    if (order == last + 1) {
      list.push_back(member["module"]);
    } else if (order == last && last > 0) {
      if (!list.back().is_array()) list.back() = Json::array({list.back()});
      list.back().push_back(member["module"]);
    } else {
      return members;
    }
    last = order;
  }
  return list;
}

Json short_parts(const Part& part, const Json& list) {
  if (part.kind == Kind::member) return short_members(list);
  Json shorter = Json::array();
  for (const auto& one : list) shorter.push_back(short_form(part.kind, one));
  return shorter;
}

}  // namespace

Json field_changes(Kind kind, const Json& from, const Json& to) {
  Json changes = Json::object();
  for (const auto& field : fields_of(kind)) {
    const auto key = std::string(field.name);
    const auto before = from.is_null() ? field.default_value() : from[key];
    if (before != to[key]) changes[key] = {{"from", from.is_null() ? Json() : before}, {"to", to[key]}};
  }
  for (const auto& part : parts_of(kind)) compare_parts(keyed_parts(part, from), keyed_parts(part, to), changes);
  return changes;
}

Json short_form(Kind kind, const Json& definition) {
  Json shorter = Json::object();
  for (const auto& field : fields_of(kind)) {
    const auto key = std::string(field.name);
    if (definition[key] == field.default_value()) continue;
    const bool single = key == "merge_key" && definition[key].size() == 1;
    shorter[key] = single ? definition[key][0] : definition[key];
  }
  for (const auto& part : parts_of(kind)) {
    const auto key = std::string(part.name);
    // Absent schedules mean "leave them alone", so a group without schedules says so.
    if (!definition[key].empty() || part.kind == Kind::schedule) shorter[key] = short_parts(part, definition[key]);
  }
  return shorter;
}

}  // namespace pipekit::definitions
