// check_rules: what ties the fields of a complete definition together.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "broker/definitions/check.h"
#include "broker/schedule.h"
#include "shared/name.h"
#include "shared/nearest.h"
#include "shared/placeholder.h"

namespace pipekit::definitions {
namespace {

class Rules {
 public:
  Rules(const Json& definition, const std::string& path, Problems& problems)
      : definition_(definition), path_(path), problems_(problems) {}

  void name();
  void connection();
  void module();
  void watermark();
  void schedule();
  void group() {
    no_duplicates(Kind::member, "members");
    no_duplicates(Kind::schedule, "schedules");
  }

 private:
  [[nodiscard]] std::string text(const char* key) const { return definition_[key].get<std::string>(); }
  void fail(std::string_view key, std::string message, std::string hint = {}) {
    problems_.push_back({join_path(path_, key), std::move(message), std::move(hint)});
  }
  void no_duplicates(Kind kind, const char* list);
  void placeholders();

  const Json& definition_;
  const std::string& path_;
  Problems& problems_;
};

bool is_reference(std::string_view password) {
  return password.starts_with('$') && is_placeholder_name(password.substr(1));
}

// "...;password=", "...?pwd=": a secret that would stand in the store, in messages and in argument lists.
bool has_password(std::string url) {
  std::transform(url.begin(), url.end(), url.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const std::string_view word : {"password=", "pwd="}) {
    for (auto at = url.find(word); at != std::string::npos; at = url.find(word, at + 1)) {
      if (at > 0 && std::string_view("?&;:").find(url[at - 1]) != std::string_view::npos) return true;
    }
  }
  return false;
}

void Rules::name() {
  if (const auto bad = forbidden_in_name(text("name"))) {
    fail("name", fmt::format("has {}, a character that people cannot see or a terminal would obey", *bad),
         "use letters, digits and punctuation");
  }
  if (is_only_digits(text("name"))) {
    fail("name", "must not consist of digits only: it could be taken for an id", "add a letter");
  }
}

// The text is never echoed: it may be the password itself.
void Rules::connection() {
  for (const auto& tag : definition_["required_tags"]) {
    if (const auto bad = forbidden_in_name(tag.get_ref<const std::string&>())) {
      fail("required_tags", fmt::format("has {}, a character that people cannot see or a terminal would obey", *bad));
      break;
    }
  }
  if (!text("jdbc_url").starts_with("jdbc:")) {
    fail("jdbc_url", "must begin with jdbc:", "jdbc:sqlite:/data/erp.db, jdbc:postgresql://host:5432/database");
  }
  if (has_password(text("jdbc_url"))) {
    fail("jdbc_url", "holds a password",
         "take it out and write password: $NAME; the worker has NAME in its environment");
  }
  if (const auto password = text("password"); !password.empty() && !is_reference(password)) {
    fail("password", "must be a reference, $NAME; passwords are never kept in the store",
         "set NAME in the worker's environment");
  }
}

void Rules::module() {
  const bool keyed = !definition_["merge_key"].empty();
  const auto strategy = text("merge_strategy");
  if (strategy == "incremental" && !keyed) {
    fail("merge_key", "is missing: an incremental module replaces rows by it", "name the column, or a list of columns");
  }
  if (definition_["unique_key"] == true && !keyed) fail("unique_key", "needs a merge_key");
  if (definition_["truncate"] == true && strategy != "full") fail("truncate", "needs merge_strategy full");
  no_duplicates(Kind::watermark, "watermarks");
  // A disabled module is a draft: its query and its watermarks may come one by one.
  if (definition_["enabled"] == true) placeholders();
}

void Rules::placeholders() {
  const auto used = placeholders_in(text("source_query"));
  std::vector<std::string> named;
  for (const auto& watermark : definition_["watermarks"]) named.push_back(watermark["name"]);
  const std::set<std::string> all_used(used.begin(), used.end());
  const std::set<std::string> all_named(named.begin(), named.end());
  for (const auto& name : used) {
    if (all_named.contains(name)) continue;
    if (enough(problems_)) return;
    const auto near = nearest(name, named);
    fail("source_query", fmt::format("uses {{{}}}, and the module has no watermark of that name", name),
         near ? fmt::format("did you mean {{{}}}?", *near)
              : "add the watermark with it, or write {{ and }} for literal braces; a module with enabled: false may "
                "be incomplete");
  }
  for (size_t i = 0; i < named.size(); ++i) {
    if (all_used.contains(named[i])) continue;
    fail(fmt::format("watermarks[{}].name", i), fmt::format("source_query does not use {{{}}}", named[i]),
         "use it or remove the watermark; a module with enabled: false may be incomplete");
  }
}

void Rules::watermark() {
  if (is_placeholder_name(text("name"))) return;
  fail("name", fmt::format("'{}' cannot stand in a query as {{name}}", text("name")),
       "a letter or _, then letters, digits and _");
}

void Rules::schedule() {
  const bool cron = text("kind") == "cron";
  const bool expression = !text("cron_expr").empty();
  const bool interval = definition_["every_s"].get<int64_t>() > 0;
  if (cron && !expression) {
    fail("cron_expr", "is missing", interval ? "an interval needs kind: interval" : "\"0 2 * * *\": at 02:00 each day");
  }
  if (!cron && !interval) fail("every_s", "is missing: kind interval needs the seconds between starts");
  if (cron && expression && interval)
    fail("every_s", "belongs to kind: interval; a schedule has either cron_expr or every_s");
  if (!cron && interval && expression)
    fail("cron_expr", "belongs to kind: cron; a schedule has either cron_expr or every_s");
  if (cron && expression) {
    if (auto parsed = CronExpression::parse(text("cron_expr")); !parsed) {
      fail("cron_expr", parsed.error().message, parsed.error().hint);
    }
  }
  if (!cron && interval) {
    const std::chrono::seconds every{definition_["every_s"].get<int64_t>()};
    if (auto checked = Schedule::interval(every); !checked) fail("every_s", checked.error().message);
  }
  if (auto zone = TimeZone::find(text("timezone")); !zone) fail("timezone", zone.error().message, zone.error().hint);
}

void Rules::no_duplicates(Kind kind, const char* list) {
  std::map<std::string, size_t> first;
  for (size_t i = 0; i < definition_[list].size(); ++i) {
    const auto key = part_key(kind, definition_[list][i]);
    const auto [known, fresh] = first.emplace(key, i);
    if (fresh) continue;
    if (enough(problems_)) return;
    fail(fmt::format("{}[{}]", list, i),
         fmt::format("{} '{}' stands twice, first as {}[{}]", to_string(kind), key, list, known->second));
  }
}

}  // namespace

void check_rules(Kind kind, const Json& definition, const std::string& path, Problems& problems) {
  Rules rules(definition, path, problems);
  if (kind == Kind::driver || kind == Kind::connection || kind == Kind::module || kind == Kind::group) rules.name();
  if (kind == Kind::connection) rules.connection();
  if (kind == Kind::module) rules.module();
  if (kind == Kind::watermark) rules.watermark();
  if (kind == Kind::schedule) rules.schedule();
  if (kind == Kind::group) rules.group();
  for (const auto& part : parts_of(kind)) {
    const auto& list = definition[std::string(part.name)];
    for (size_t i = 0; i < list.size() && !enough(problems); ++i) {
      check_rules(part.kind, list[i], fmt::format("{}[{}]", join_path(path, part.name), i), problems);
    }
  }
}

void check_edit(Kind kind, const Json& before, const Json& definition, const std::string& path, Problems& problems) {
  Problems found;
  check_rules(kind, definition, path, found);
  if (found.empty()) return;
  Problems old;
  check_rules(kind, before, path, old);
  for (auto& problem : new_problems(old, std::move(found))) problems.push_back(std::move(problem));
}

}  // namespace pipekit::definitions
