#include "broker/definitions/apply.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "broker/definitions/changes.h"
#include "broker/definitions/check.h"
#include "broker/definitions/references.h"
#include "broker/definitions/rows.h"
#include "shared/nearest.h"
#include "shared/utf8.h"

namespace pipekit::definitions {
namespace {

// A definition of the document, and the row that it will be.
struct Listed {
  Kind kind;
  std::string path;
  Json definition;
  Json before;     // the store's; null: new
  int64_t id = 0;  // 0: not yet
  // A group whose file does not speak of schedules: they are made and switched off by hand, too.
  bool keeps_schedules = false;
};

// Can stand in a message; complete() tells what is wrong with one that cannot.
bool is_printable(const Json& name) { return name.is_string() && is_valid_utf8(name.get_ref<const std::string&>()); }

// First everything is checked, then everything is written, so that a problem never hides behind another.
class Application {
 public:
  Application(Database& db, const ApplyOptions& options, WallTime now) : db_(db), options_(options), now_(now) {}

  ApplyOutcome run(const Json& document) {
    read_document(document);
    resolve_references();
    if (!outcome_.problems.empty()) return std::move(outcome_);
    for (const auto& part : document_parts()) write(part.kind);
    if (options_.prune) {
      for (const auto kind : {Kind::group, Kind::module, Kind::connection}) prune(kind);
    }
    return std::move(outcome_);
  }

 private:
  void read_document(const Json& document);
  void read_list(const Part& part, const Json& list);
  void read_one(Kind kind, const Json& given, const std::string& path);
  void resolve_references();
  SqlDialect dialect_of(const Json& connection);
  void write(Kind kind);
  void write_one(Listed& one);
  void prune(Kind kind);
  void tell(std::string_view action, Kind kind, const std::string& name, int64_t id, Json fields);
  void fail(std::string path, std::string message, std::string hint) {
    outcome_.problems.push_back({std::move(path), std::move(message), std::move(hint)});
  }

  Database& db_;
  const ApplyOptions& options_;
  WallTime now_;
  ApplyOutcome outcome_;
  std::vector<Listed> listed_;
  std::map<std::string, SqlDialect> dialects_;                 // of the document's connections
  std::map<std::pair<Kind, std::string>, std::string> paths_;  // of what the document lists
};

void Application::read_document(const Json& document) {
  if (!document.is_object()) {
    fail("", "the document must be a map of lists", "connections:, modules:, groups:");
    return;
  }
  std::vector<std::string> known;
  for (const auto& part : document_parts()) {
    known.emplace_back(part.name);
    const auto list = document.find(known.back());
    if (list != document.end() && !list->is_null()) read_list(part, *list);
  }
  for (const auto& [key, value] : document.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    fail(is_valid_utf8(key) ? key : "", "is no list of definitions", did_you_mean(key, known));
  }
  if (options_.prune && paths_.empty() && outcome_.problems.empty()) {
    fail("", "the document is empty: prune would remove every definition", "remove them one by one if that is meant");
  }
}

void Application::read_list(const Part& part, const Json& list) {
  if (!list.is_array()) {
    fail(std::string(part.name), "must be a list", {});
    return;
  }
  for (size_t i = 0; i < list.size(); ++i) read_one(part.kind, list[i], fmt::format("{}[{}]", part.name, i));
}

void Application::read_one(Kind kind, const Json& given, const std::string& path) {
  // Listed even when something is wrong with it, so that what refers to it is not blamed.
  if (given.is_object() && given.contains("name") && is_printable(given["name"])) {
    const auto [first, fresh] = paths_.emplace(std::pair(kind, given["name"].get<std::string>()), path);
    if (!fresh) {
      fail(join_path(path, "name"), fmt::format("{} '{}' is listed twice", to_string(kind), first->first.second),
           fmt::format("the first one is {}", first->second));
      return;
    }
  }
  const auto problems = outcome_.problems.size();
  auto definition = complete(kind, given, path, outcome_.problems);
  if (outcome_.problems.size() != problems) return;
  if (kind == Kind::connection)
    dialects_[definition["name"]] = sql_dialect_of(definition["jdbc_url"].get<std::string>());
  check_rules(kind, definition, path, outcome_.problems,
              [&](const Json& connection) { return dialect_of(connection); });
  const bool keeps_schedules = kind == Kind::group && (!given.contains("schedules") || given["schedules"].is_null());
  listed_.push_back({kind, path, std::move(definition), {}, 0, keeps_schedules});
}

// Connections are listed before the modules that use them.
SqlDialect Application::dialect_of(const Json& connection) {
  if (connection.is_string()) {
    const auto listed = dialects_.find(connection.get_ref<const std::string&>());
    if (listed != dialects_.end()) return listed->second;
  }
  return dialect_in(db_, connection);
}

void Application::resolve_references() {
  References references(db_, options_.prune);
  for (const auto& [key, path] : paths_) references.list(key.first, key.second);
  for (auto& one : listed_) {
    references.resolve(one.kind, one.definition, one.path, outcome_.problems);
    sort_parts(one.definition);
  }
}

// New rows first, and again with the changed ones: only then does all that they refer to exist.
void Application::write(Kind kind) {
  for (auto& one : listed_) {
    if (one.kind != kind) continue;
    if (const auto id = id_of(db_, kind, one.definition["name"].get<std::string>())) {
      one.id = *id;
      one.before = definition_of(kind, *read_whole(db_, kind, one.id));
      if (one.keeps_schedules) one.definition["schedules"] = one.before["schedules"];
    } else {
      one.id = insert(db_, kind, one.definition, 0, now_);
    }
  }
  for (auto& one : listed_) {
    if (one.kind == kind) write_one(one);
  }
}

void Application::write_one(Listed& one) {
  const std::string name = one.definition["name"];
  if (one.before == one.definition) {
    tell("unchanged", one.kind, name, one.id, Json::object());
    return;
  }
  rewrite(db_, one.kind, one.id, one.definition, now_);
  sync_parts(db_, one.kind, one.id, one.definition, now_);
  tell(one.before.is_null() ? "add" : "update", one.kind, name, one.id,
       field_changes(one.kind, one.before, one.definition));
}

// Nothing that stays refers to what goes: resolve_references saw to it.
void Application::prune(Kind kind) {
  for (const auto& name : names(db_, kind)) {
    if (paths_.contains({kind, name})) continue;
    const auto id = *id_of(db_, kind, name);
    erase(db_, kind, id);
    tell("remove", kind, name, id, Json::object());
  }
}

void Application::tell(std::string_view action, Kind kind, const std::string& name, int64_t id, Json fields) {
  outcome_.changes.push_back(
      {{"action", action}, {"kind", to_string(kind)}, {"name", name}, {"fields", std::move(fields)}});
  if (action == "unchanged") return;
  outcome_.changed = true;
  if (kind == Kind::module) outcome_.touched.push_back(ModuleId{id});
}

}  // namespace

ApplyOutcome apply(Database& db, const Json& document, const ApplyOptions& options, WallTime now) {
  return Application(db, options, now).run(document);
}

Json export_document(Database& db) {
  Json document = Json::object();
  for (const auto& part : document_parts()) {
    auto& list = document[std::string(part.name)] = Json::array();
    for (const auto& name : names(db, part.kind)) {
      const auto shown = read_whole(db, part.kind, *id_of(db, part.kind, name));
      list.push_back(short_form(part.kind, definition_of(part.kind, *shown)));
    }
  }
  return document;
}

}  // namespace pipekit::definitions
