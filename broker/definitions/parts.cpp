// The verbs on watermarks, hooks, members and schedules. Each writes its row and then checks the definition around it
// as a whole; when that is refused the caller rolls the row back.
#include <fmt/format.h>

#include <algorithm>

#include "broker/definitions/check.h"
#include "broker/definitions/definitions.h"
#include "broker/definitions/references.h"
#include "broker/definitions/rows.h"
#include "broker/definitions/tables.h"
#include "shared/nearest.h"

namespace pipekit::definitions {
namespace {

// With its whole definition as it was before the change.
struct Parent {
  Kind kind;
  int64_t id;
  Json before;
};

Result<Parent> parent_of(Database& db, Kind part, const Json& ref) {
  const auto kind = *table_of(part).parent;
  const auto id = resolve(db, kind, ref);
  if (!id) return id.error();
  return Parent{kind, *id, definition_of(kind, *read_whole(db, kind, *id))};
}

// After a change, which must have made nothing of the whole wrong.
Result<void> settle(Database& db, const Parent& parent, WallTime now) {
  Problems problems;
  const Referred referred{[&](const Json& connection) { return dialect_in(db, connection); }, {}};
  check_edit(parent.kind, parent.before, definition_of(parent.kind, *read_whole(db, parent.kind, parent.id)), "",
             problems, referred, referred);
  if (!problems.empty()) return to_error(problems);
  touch(db, parent.kind, parent.id, now);
  return {};
}

// `before`: null for a new one.
Result<Json> checked_part(Database& db, Kind kind, const Json& given, const Json& before = nullptr) {
  Problems problems;
  auto definition = complete(kind, given, "", problems);
  const Referred referred{[&](const Json& connection) { return dialect_in(db, connection); }, {}};
  if (problems.empty() && before.is_null()) check_rules(kind, definition, "", problems, referred);
  if (problems.empty() && !before.is_null()) check_edit(kind, before, definition, "", problems, referred, referred);
  if (problems.empty()) References(db).check(kind, definition, "", problems);
  if (!problems.empty()) return to_error(problems);
  return definition;
}

int64_t last_order(const Json& parts) {
  int64_t last = 0;
  for (const auto& part : parts) last = std::max(last, part["run_order"].get<int64_t>());
  return last;
}

// The name that a new or changed part must not share with another one of the list.
Result<void> refuse_taken(Kind kind, const Json& parts, const Json& definition, int64_t own_id) {
  const auto key = part_key(kind, definition);
  if (kind == Kind::hook) return {};
  for (const auto& one : parts) {
    if (one["id"] == own_id || part_key(kind, one) != key) continue;
    return Error{ErrorCode::kExists, fmt::format("there is already a {} '{}'", to_string(kind), key),
                 fmt::format("use {} update", to_string(kind))};
  }
  return {};
}

bool names_part(Kind kind, const Json& part, const Json& ref) {
  if (ref.is_number_integer()) return part["id"] == ref;
  if (!ref.is_string()) return false;
  return part["id"].dump() == ref.get_ref<const std::string&>() || (kind == Kind::watermark && part["name"] == ref);
}

Result<Json> find_part_row(Database& db, Kind kind, const Parent& parent, const Json& ref) {
  const auto parts = read_parts(db, kind, parent.id);
  std::vector<std::string> known;
  for (const auto& part : parts) {
    if (kind == Kind::watermark && part["name"] == ref) return part;
  }
  for (const auto& part : parts) {
    if (names_part(kind, part, ref)) return part;
    known.push_back(kind == Kind::watermark ? part["name"].get<std::string>() : part["id"].dump());
  }
  return Error{ErrorCode::kNotFound,
               fmt::format("{} '{}' has no {} {}", to_string(parent.kind), *name_of(db, parent.kind, parent.id),
                           to_string(kind), ref.is_string() ? ref.get<std::string>() : ref.dump()),
               did_you_mean(ref.is_string() ? ref.get<std::string>() : ref.dump(), known)};
}

}  // namespace

Result<Json> list_parts(Database& db, Kind kind, const Json& parent_ref) {
  const auto parent = resolve(db, *table_of(kind).parent, parent_ref);
  if (!parent) return parent.error();
  return read_parts(db, kind, *parent);
}

Result<Json> list_schedules(Database& db) { return read_all(db, Kind::schedule); }

Result<Json> add_part(Database& db, Kind kind, const Json& parent_ref, const Json& fields, WallTime now) {
  const auto parent = parent_of(db, kind, parent_ref);
  if (!parent) return parent.error();
  auto definition = checked_part(db, kind, fields);
  if (!definition) return definition;
  const auto others = read_parts(db, kind, parent->id);
  if (auto free = refuse_taken(kind, others, *definition, 0); !free) return free.error();
  if (definition->contains("run_order") && (*definition)["run_order"].is_null()) {
    (*definition)["run_order"] = last_order(others) + 1;
  }
  const auto id = insert(db, kind, *definition, parent->id, now);
  if (auto whole = settle(db, *parent, now); !whole) return whole.error();
  return *read(db, kind, id);
}

Result<Json> update_part(Database& db, Kind kind, const Json& parent_ref, const Json& ref, const Json& set,
                         WallTime now) {
  const auto parent = parent_of(db, kind, parent_ref);
  if (!parent) return parent.error();
  const auto part = find_part_row(db, kind, *parent, ref);
  if (!part) return part;
  if (!set.is_object()) return Error{ErrorCode::kInvalid, "set must be a map of the fields to change"};
  const auto before = definition_of(kind, *part);
  auto given = before;
  given.update(set);
  auto definition = checked_part(db, kind, given, before);
  if (!definition) return definition;
  if (definition->contains("run_order") && (*definition)["run_order"].is_null()) {
    (*definition)["run_order"] = before["run_order"];
  }
  if (*definition == before) return part;
  const auto id = (*part)["id"].get<int64_t>();
  const auto others = read_parts(db, kind, parent->id);
  if (auto free = refuse_taken(kind, others, *definition, id); !free) return free.error();
  rewrite(db, kind, id, *definition, now);
  if (auto whole = settle(db, *parent, now); !whole) return whole.error();
  return *read(db, kind, id);
}

Result<Json> remove_part(Database& db, Kind kind, const Json& parent_ref, const Json& ref, WallTime now) {
  const auto parent = parent_of(db, kind, parent_ref);
  if (!parent) return parent.error();
  const auto part = find_part_row(db, kind, *parent, ref);
  if (!part) return part;
  erase(db, kind, (*part)["id"].get<int64_t>());
  if (auto whole = settle(db, *parent, now); !whole) {
    return Error{ErrorCode::kInUse, whole.error().message, whole.error().hint};
  }
  return Json{{"removed", kind == Kind::watermark ? (*part)["name"] : (*part)["id"]}};
}

Result<Json> add_member(Database& db, const Json& group, const Json& module, std::optional<int64_t> run_order) {
  const auto id = resolve(db, Kind::module, module);
  if (!id) return id.error();
  Json fields = {{"module", *name_of(db, Kind::module, *id)}};
  if (run_order) fields["run_order"] = *run_order;
  const auto added = add_part(db, Kind::member, group, fields, {});
  if (!added) return added;
  return show(db, Kind::group, group);
}

Result<Json> remove_member(Database& db, const Json& group, const Json& module) {
  const auto parent = parent_of(db, Kind::member, group);
  if (!parent) return parent.error();
  const auto id = resolve(db, Kind::module, module);
  if (!id) return id.error();
  for (const auto& member : read_parts(db, Kind::member, parent->id)) {
    if (member["module_id"] != *id) continue;
    erase(db, Kind::member, member["id"].get<int64_t>());
    return show(db, Kind::group, parent->id);
  }
  return Error{ErrorCode::kNotFound,
               fmt::format("module '{}' is not a member of group '{}'", *name_of(db, Kind::module, *id),
                           *name_of(db, Kind::group, parent->id)),
               {}};
}

}  // namespace pipekit::definitions
