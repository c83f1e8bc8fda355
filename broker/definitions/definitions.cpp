#include "broker/definitions/definitions.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "broker/definitions/check.h"
#include "broker/definitions/references.h"
#include "broker/definitions/rows.h"
#include "shared/nearest.h"
#include "shared/utf8.h"

namespace pipekit::definitions {
namespace {

constexpr size_t kLongestShown = 1000;

std::string shown(const Json& ref) {
  if (!ref.is_string()) return ref.is_number_integer() ? ref.dump() : "(a name or an id is needed)";
  const auto& text = ref.get_ref<const std::string&>();
  if (text.size() > kLongestShown) return fmt::format("with a name of {} bytes", text.size());
  return is_valid_utf8(text) ? fmt::format("'{}'", text) : "(not UTF-8)";
}

Error not_found(Database& db, Kind kind, const Json& ref) {
  const auto known = names(db, kind);
  auto hint = ref.is_string() ? did_you_mean(ref.get<std::string>(), known) : std::string();
  return {ErrorCode::kNotFound, fmt::format("there is no {} {}", to_string(kind), shown(ref)), std::move(hint)};
}

Error taken(Kind kind, const std::string& name) {
  return {ErrorCode::kExists, fmt::format("there is already a {} '{}'", to_string(kind), name),
          fmt::format("choose another name, or use {} update", to_string(kind))};
}

// Complete, with its rules and references checked. `before`: of an edit; null: new, and may refer to itself.
Result<Json> checked(Database& db, Kind kind, const Json& given, const Json& before = nullptr) {
  Problems problems;
  auto definition = complete(kind, given, "", problems);
  const Referred referred{[&](const Json& connection) { return dialect_in(db, connection); },
                          [&](const Json& driver) { return url_template_in(db, driver); }};
  if (problems.empty() && before.is_null()) check_rules(kind, definition, "", problems, referred);
  if (problems.empty() && !before.is_null()) check_edit(kind, before, definition, "", problems, referred, referred);
  References references(db);
  if (problems.empty() && before.is_null()) references.list(kind, definition["name"].get<std::string>());
  if (problems.empty()) references.check(kind, definition, "", problems);
  if (!problems.empty()) return to_error(problems);
  sort_parts(definition);
  return definition;
}

// `set` over `definition`; what it sets to null gets its default.
Result<Json> patched(const Json& definition, const Json& set) {
  if (!set.is_object()) return Error{ErrorCode::kInvalid, "set must be a map of the fields to change"};
  Json whole = definition;
  for (const auto& [key, value] : set.items()) whole[key] = value;
  return whole;
}

Json whole(Database& db, Kind kind, int64_t id) { return *read_whole(db, kind, id); }

}  // namespace

Result<Json> list(Database& db, Kind kind) {
  auto all = read_all(db, kind);
  if (kind != Kind::group) return all;
  for (auto& one : all) {
    for (const auto& part : parts_of(kind)) {
      one[std::string(part.name)] = read_parts(db, part.kind, one["id"].get<int64_t>());
    }
  }
  return all;
}

Result<Json> show(Database& db, Kind kind, const Json& ref) {
  const auto id = resolve(db, kind, ref);
  if (!id) return id.error();
  return whole(db, kind, *id);
}

Result<Json> add(Database& db, Kind kind, const Json& fields, WallTime now) {
  const auto definition = checked(db, kind, fields);
  if (!definition) return definition.error();
  const std::string name = (*definition)["name"];
  if (id_of(db, kind, name)) return taken(kind, name);
  const auto id = insert(db, kind, *definition, 0, now);
  rewrite(db, kind, id, *definition, now);  // now that what it may say of itself exists
  sync_parts(db, kind, id, *definition, now);
  return whole(db, kind, id);
}

Result<Json> update(Database& db, Kind kind, const Json& ref, const Json& set, WallTime now) {
  const auto id = resolve(db, kind, ref);
  if (!id) return id.error();
  const auto before = definition_of(kind, whole(db, kind, *id));
  const auto given = patched(before, set);
  if (!given) return given.error();
  const auto definition = checked(db, kind, *given, before);
  if (!definition) return definition.error();
  if (*definition == before) return whole(db, kind, *id);
  const std::string name = (*definition)["name"];
  if (const auto holder = id_of(db, kind, name); holder && *holder != *id) return taken(kind, name);
  rewrite(db, kind, *id, *definition, now);
  sync_parts(db, kind, *id, *definition, now);
  return whole(db, kind, *id);
}

Result<Json> remove(Database& db, Kind kind, const Json& ref) {
  const auto id = resolve(db, kind, ref);
  if (!id) return id.error();
  const auto name = *name_of(db, kind, *id);
  if (const auto users = users_of(db, kind, *id); !users.empty()) {
    return Error{ErrorCode::kInUse,
                 fmt::format("{} '{}' is still used by {}", to_string(kind), name, fmt::join(users, ", ")),
                 "change or remove those first"};
  }
  erase(db, kind, *id);
  return Json{{"removed", name}};
}

Result<Json> set_enabled(Database& db, const Json& module, bool enabled, WallTime now) {
  return update(db, Kind::module, module, {{"enabled", enabled}}, now);
}

Result<int64_t> resolve(Database& db, Kind kind, const Json& ref) {
  if (const auto id = id_for(db, kind, ref)) return *id;
  return not_found(db, kind, ref);
}

std::optional<ModuleId> find_module(Database& db, const Json& ref) {
  const auto id = id_for(db, Kind::module, ref);
  return id ? std::optional(ModuleId{*id}) : std::nullopt;
}

std::optional<int64_t> find_group(Database& db, const Json& ref) { return id_for(db, Kind::group, ref); }

}  // namespace pipekit::definitions
