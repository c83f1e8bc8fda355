#include "broker/definitions/apply.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "broker/definitions/changes.h"
#include "broker/definitions/check.h"
#include "broker/definitions/references.h"
#include "broker/definitions/rows.h"
#include "broker/definitions/tables.h"
#include "shared/nearest.h"
#include "shared/utf8.h"

namespace pipekit::definitions {
namespace {

// A definition of the document, and the row that it is in the store.
struct Listed {
  Kind kind;
  std::string path;
  Json definition;
  Json before;     // the store's; null: new
  int64_t id = 0;  // 0: new
  bool keeps_schedules = false;
};

// Can be part of a message; complete() tells what is wrong with one that cannot.
bool is_printable(const Json& name) { return name.is_string() && is_valid_utf8(name.get_ref<const std::string&>()); }

bool refers_to_own_kind(const Listed& one) {
  return std::ranges::any_of(fields_of(one.kind), [&](const Field& field) {
    return is_self_reference(one.kind, field) && !one.definition[std::string(field.name)].is_null();
  });
}

// First everything is checked, then the writes are listed, so that a problem never hides behind another.
class Application {
 public:
  Application(Database& db, bool prune, const TimeBudget& budget) : db_(db), prune_(prune), budget_(budget) {}

  Plan run(const Json& document) {
    read_document(document);
    check_references();
    if (!plan_.problems.empty()) return std::move(plan_);
    for (const auto& part : document_parts()) write(part.kind);
    if (prune_) {
      for (const auto kind : {Kind::group, Kind::module, Kind::connection}) remove_unlisted(kind);
    }
    return std::move(plan_);
  }

 private:
  void read_document(const Json& document);
  void read_list(const Part& part, const Json& list);
  void read_one(Kind kind, const Json& given, const std::string& path);
  void check_references();
  SqlDialect dialect_of(const Json& connection);
  std::string url_template_of(const Json& driver);
  void write(Kind kind);
  void insert(const Listed& one);
  void update(const Listed& one);
  void remove_unlisted(Kind kind);
  void tell(std::string_view action, Kind kind, const std::string& name, Json fields);
  void fail(std::string path, std::string message, std::string hint) {
    plan_.problems.push_back({std::move(path), std::move(message), std::move(hint)});
  }

  Database& db_;
  bool prune_;
  const TimeBudget& budget_;
  Plan plan_;
  std::vector<Listed> listed_;
  std::map<std::string, SqlDialect> dialects_;                 // of the document's connections
  std::map<std::string, std::string> url_templates_;           // of its drivers
  std::map<std::pair<Kind, std::string>, std::string> paths_;  // of what the document lists
  std::optional<FenceNames> fence_names_;
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
    fail(is_valid_utf8(key) ? key : "", "is not a list of definitions", did_you_mean(key, known));
  }
  if (prune_ && paths_.empty() && plan_.problems.empty()) {
    fail("", "the document is empty: prune would remove every definition",
         "to remove everything, remove the definitions one by one");
  }
}

void Application::read_list(const Part& part, const Json& list) {
  if (!list.is_array()) {
    fail(std::string(part.name), "must be a list", {});
    return;
  }
  for (size_t i = 0; i < list.size() && !enough(plan_.problems); ++i) {
    read_one(part.kind, list[i], fmt::format("{}[{}]", part.name, i));
  }
}

void Application::read_one(Kind kind, const Json& given, const std::string& path) {
  budget_.check();
  // Listed even when something is wrong with it, so that what refers to it is not blamed.
  if (given.is_object() && given.contains("name") && is_printable(given["name"])) {
    const auto [first, fresh] = paths_.emplace(std::pair(kind, given["name"].get<std::string>()), path);
    if (!fresh) {
      fail(join_path(path, "name"), fmt::format("{} '{}' is listed twice", to_string(kind), first->first.second),
           fmt::format("the first one is {}", first->second));
      return;
    }
  }
  const auto problems = plan_.problems.size();
  Listed one{kind, path, complete(kind, given, path, plan_.problems), {}, 0, false};
  if (plan_.problems.size() != problems) return;
  if (kind == Kind::connection) {
    dialects_[one.definition["name"]] = sql_dialect_of(one.definition["jdbc_url"].get<std::string>());
  }
  if (kind == Kind::driver) url_templates_[one.definition["name"]] = one.definition["url_template"];
  const Referred referred{[&](const Json& connection) { return dialect_of(connection); },
                          [&](const Json& driver) { return url_template_of(driver); }};
  // A group whose file does not mention schedules keeps them, because people also add and disable them by hand.
  one.keeps_schedules = kind == Kind::group && (!given.contains("schedules") || given["schedules"].is_null());
  if (const auto id = id_of(db_, kind, one.definition["name"].get<std::string>())) {
    one.id = *id;
    one.before = definition_of(kind, *read_whole(db_, kind, one.id));
    if (one.keeps_schedules) one.definition["schedules"] = one.before["schedules"];
    const Referred before{[&](const Json& connection) { return dialect_in(db_, connection); },
                          referred.url_template_of};
    check_edit(kind, one.before, one.definition, path, plan_.problems, before, referred);
  } else {
    check_rules(kind, one.definition, path, plan_.problems, referred);
  }
  sort_parts(one.definition);
  listed_.push_back(std::move(one));
}

// Connections are listed before the modules that use them.
SqlDialect Application::dialect_of(const Json& connection) {
  if (connection.is_string()) {
    const auto listed = dialects_.find(connection.get_ref<const std::string&>());
    if (listed != dialects_.end()) return listed->second;
  }
  return dialect_in(db_, connection);
}

std::string Application::url_template_of(const Json& driver) {
  if (driver.is_string()) {
    const auto listed = url_templates_.find(driver.get_ref<const std::string&>());
    if (listed != url_templates_.end()) return listed->second;
  }
  return url_template_in(db_, driver);
}

void Application::check_references() {
  References references(db_, prune_);
  for (const auto& [key, path] : paths_) references.list(key.first, key.second);
  for (const auto& one : listed_) {
    budget_.check();
    references.check(one.kind, one.definition, one.path, plan_.problems);
  }
}

// New rows first, and those that refer to their own kind again: only then does all that they refer to exist.
void Application::write(Kind kind) {
  std::vector<std::pair<const Listed*, size_t>> again;
  for (const auto& one : listed_) {
    if (one.kind != kind || one.id != 0) continue;
    budget_.check();
    if (refers_to_own_kind(one)) again.emplace_back(&one, plan_.writes.size());
    insert(one);
  }
  for (const auto& [one, row] : again) {
    plan_.writes.push_back({Write::What::update, kind, 0, 0, row, one->definition.dump()});
  }
  for (const auto& one : listed_) {
    if (one.kind != kind) continue;
    budget_.check();
    const std::string name = one.definition["name"];
    if (one.before == one.definition) {
      tell("unchanged", kind, name, Json::object());
      continue;
    }
    if (one.id != 0) update(one);
    tell(one.id == 0 ? "add" : "update", kind, name, field_changes(kind, one.before, one.definition));
  }
}

void Application::insert(const Listed& one) {
  const auto row = plan_.writes.size();
  auto definition = one.definition;
  if (one.kind == Kind::module) {
    if (!fence_names_) fence_names_.emplace(db_);
    definition["fence_name"] = fence_names_->take(definition["name"]);
  }
  plan_.writes.push_back({Write::What::insert, one.kind, 0, 0, 0, definition.dump()});
  for (const auto& part : parts_of(one.kind)) {
    for (const auto& change : part_changes(part.kind, Json::array(), one.definition[std::string(part.name)])) {
      plan_.writes.push_back({Write::What::insert, part.kind, 0, 0, row, change.part->dump()});
    }
  }
}

void Application::update(const Listed& one) {
  plan_.writes.push_back({Write::What::update, one.kind, one.id, 0, 0, one.definition.dump()});
  for (const auto& part : parts_of(one.kind)) {
    const auto rows = read_parts(db_, part.kind, one.id);
    for (const auto& change : part_changes(part.kind, rows, one.definition[std::string(part.name)])) {
      using What = PartChange::What;
      auto text = change.part == nullptr ? std::string() : change.part->dump();
      const auto what = change.what == What::insert    ? Write::What::insert
                        : change.what == What::rewrite ? Write::What::update
                                                       : Write::What::erase;
      plan_.writes.push_back({what, part.kind, change.id, one.id, 0, std::move(text)});
    }
  }
}

// Nothing that stays refers to what goes: check_references saw to it.
void Application::remove_unlisted(Kind kind) {
  for (const auto& name : names(db_, kind)) {
    if (paths_.contains({kind, name})) continue;
    plan_.writes.push_back({Write::What::erase, kind, *id_of(db_, kind, name)});
    tell("remove", kind, name, Json::object());
  }
}

void Application::tell(std::string_view action, Kind kind, const std::string& name, Json fields) {
  plan_.changes.push_back(
      {{"action", action}, {"kind", to_string(kind)}, {"name", name}, {"fields", std::move(fields)}});
  plan_.changed = plan_.changed || action != "unchanged";
}

}  // namespace

Plan plan(Database& db, const Json& document, bool prune, const TimeBudget& budget) {
  return Application(db, prune, budget).run(document);
}

void carry_out(Database& db, const Plan& plan, WallTime now) {
  std::vector<int64_t> ids(plan.writes.size());
  for (size_t i = 0; i < plan.writes.size(); ++i) {
    const auto& write = plan.writes[i];
    switch (write.what) {
      case Write::What::insert: {
        const bool part = table_of(write.kind).parent.has_value();
        const auto parent = !part ? 0 : write.parent != 0 ? write.parent : ids[write.row];
        ids[i] = insert_text(db, write.kind, write.text, parent, now);
        break;
      }
      case Write::What::update:
        rewrite_text(db, write.kind, write.id != 0 ? write.id : ids[write.row], write.text, now);
        break;
      case Write::What::erase:
        erase(db, write.kind, write.id);
        break;
    }
  }
}

Json export_document(Database& db, const TimeBudget& budget) {
  Json document = Json::object();
  for (const auto& part : document_parts()) {
    auto& list = document[std::string(part.name)] = Json::array();
    for (const auto& name : names(db, part.kind)) {
      budget.check();
      const auto shown = read_whole(db, part.kind, *id_of(db, part.kind, name));
      list.push_back(short_form(part.kind, definition_of(part.kind, *shown)));
    }
  }
  return document;
}

}  // namespace pipekit::definitions
