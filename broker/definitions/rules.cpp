// check_rules: what ties the fields of a complete definition together.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>

#include "broker/definitions/check.h"
#include "broker/schedule.h"
#include "shared/jdbc_url.h"
#include "shared/name.h"
#include "shared/nearest.h"
#include "shared/placeholder.h"

namespace pipekit::definitions {
namespace {

class Rules {
 public:
  Rules(const Json& definition, const std::string& path, Problems& problems, const Referred& referred)
      : definition_(definition), path_(path), problems_(problems), referred_(referred) {}

  void name();
  void connection();
  void jdbc_url();
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
  void query();
  void placeholders(SqlDialect dialect);
  bool closed(const char* field, SqlDialect dialect);
  [[nodiscard]] SqlDialect dialect(const char* connection) const {
    return referred_.dialect_of ? referred_.dialect_of(definition_[connection]) : SqlDialect::generic;
  }

  const Json& definition_;
  const std::string& path_;
  Problems& problems_;
  const Referred& referred_;
};

bool is_reference(std::string_view password) {
  return password.starts_with('$') && is_placeholder_name(password.substr(1));
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
  jdbc_url();
  if (const auto password = text("password"); !password.empty() && !is_reference(password)) {
    fail("password", "must be a reference, $NAME; passwords are never kept in the store",
         "add a line NAME=... to the worker's secrets file");
  }
}

// Of other drivers than those that pipekit-jrunner speaks Pipekit cannot know all parameters.
void Rules::jdbc_url() {
  const auto scheme = jdbc_scheme(text("jdbc_url"));
  const bool native = scheme == "jdbc:sqlite:" || scheme == "jdbc:postgresql:";
  std::vector<std::string> allowed;
  if (!native && referred_.url_template_of) {
    allowed = jdbc_parameters(referred_.url_template_of(definition_["driver"]));
  }
  const auto checked = check_jdbc_url(text("jdbc_url"), allowed);
  if (checked) return;
  auto hint = checked.error().hint;
  if (hint.empty() && native) hint = "docs/OPERATING.md lists the parameters that are allowed";
  if (hint.empty()) hint = "if it is harmless, add it to the url_template of the driver";
  fail("jdbc_url", checked.error().message, std::move(hint));
}

void Rules::module() {
  const bool keyed = !definition_["merge_key"].empty();
  const auto strategy = text("merge_strategy");
  if (strategy == "incremental" && !keyed) {
    fail("merge_key", "is missing: an incremental module replaces rows by it", "name the column, or a list of columns");
  }
  if (definition_["unique_key"] == true && !keyed) fail("unique_key", "needs a merge_key");
  if (definition_["truncate"] == true && strategy != "full") fail("truncate", "needs merge_strategy full");
  if (text("merge_method") == "update") {
    if (!keyed)
      fail("merge_key", "is missing: merge_method update finds rows by it", "name the column, or a list of columns");
    if (strategy == "append") fail("merge_method", "update needs merge_strategy full or incremental");
    if (definition_["truncate"] == true) fail("truncate", "contradicts merge_method update, which keeps rows");
  }
  no_duplicates(Kind::watermark, "watermarks");
  // A disabled module is a draft: its query and its watermarks may come one by one.
  if (definition_["enabled"] == true) query();
}

// What runs to the end of the text by mistake. A database that is not known may have quotes of its own.
bool Rules::closed(const char* field, SqlDialect dialect) {
  if (dialect == SqlDialect::generic) return true;
  const auto open = unclosed_in(text(field), dialect);
  if (!open || (dialect == SqlDialect::sqlite && open->what == "comment")) return true;
  fail(field, fmt::format("the {} that begins on line {} is not closed", open->what, open->line));
  return false;
}

bool is_command(std::string_view statement) {
  constexpr auto kWords = std::to_array<std::string_view>({"insert", "update", "delete", "merge", "replace", "create",
                                                           "drop", "alter", "truncate", "grant", "revoke", "begin",
                                                           "commit", "rollback", "attach", "detach", "vacuum", "copy"});
  const auto end =
      std::find_if(statement.begin(), statement.end(), [](unsigned char c) { return std::isalpha(c) == 0; });
  const std::string_view word(statement.begin(), end);
  return std::ranges::any_of(kWords, [&](std::string_view one) { return same_word(word, one); });
}

void Rules::query() {
  const auto source = dialect("source_connection");
  if (!closed("source_query", source)) return;
  placeholders(source);
  constexpr auto kOne = "must be exactly one SELECT";
  const auto query = text("source_query");
  const auto statements = split_sql(query, source);
  if (statements.empty()) return fail("source_query", fmt::format("{}; it has only comments", kOne));
  if (statements.size() > 1) {
    return fail("source_query", fmt::format("{}; a second statement begins on line {}", kOne, statements[1].line),
                "put statements that run after the merge in hooks");
  }
  const auto code = statements[0].text.substr(statements[0].code);
  if (is_command(code)) {
    fail("source_query", fmt::format("{}; it begins with {}", kOne, code.substr(0, code.find_first_of(" \t\r\n"))),
         "put statements that run after the merge in hooks");
  }
}

void Rules::placeholders(SqlDialect dialect) {
  const auto query = text("source_query");
  const auto [used, in_comments, bare] = placeholders_in(query, dialect);
  std::vector<std::string> named;
  std::set<std::string> raw;
  for (const auto& watermark : definition_["watermarks"]) {
    named.push_back(watermark["name"]);
    if (watermark["raw"] == true) raw.insert(named.back());
  }
  const std::set<std::string> all_used(used.begin(), used.end());
  const std::set<std::string> all_named(named.begin(), named.end());
  const std::set<std::string> all_in_comments(in_comments.begin(), in_comments.end());
  for (const auto& name : used) {
    if (all_named.contains(name)) continue;
    if (enough(problems_)) return;
    const auto near = nearest(name, named);
    fail("source_query", fmt::format("uses {{{}}}, and the module has no watermark of that name", name),
         near ? fmt::format("did you mean {{{}}}?", *near)
         : named.empty()
             ? fmt::format("add a watermark {0}; if this is text and not a placeholder, split it: '{{' || '{0}}}'; a "
                           "module with enabled: false may be incomplete",
                           name)
             : fmt::format("add a watermark {0}, or write {{{{{0}}}}} for the text {{{0}}}; a module with enabled: "
                           "false may be incomplete",
                           name));
  }
  for (size_t i = 0; i < named.size(); ++i) {
    if (all_used.contains(named[i])) continue;
    if (enough(problems_)) return;
    fail(fmt::format("watermarks[{}].name", i),
         fmt::format("source_query does not use {{{}}}{}", named[i],
                     all_in_comments.contains(named[i]) ? " outside of comments" : ""),
         "use it or remove the watermark; a module with enabled: false may be incomplete");
  }
  for (auto& problem : unsafe_places(query, dialect, raw)) {
    fail("source_query", std::move(problem.message), std::move(problem.hint));
  }
}

void Rules::watermark() {
  closed("resolver_sql", dialect("connection"));
  if (is_placeholder_name(text("name"))) return;
  fail("name", fmt::format("'{}' cannot be used in a query as {{name}}", text("name")),
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
         fmt::format("{} '{}' is listed twice; the first one is {}[{}]", to_string(kind), key, list, known->second));
  }
}

}  // namespace

void check_rules(Kind kind, const Json& definition, const std::string& path, Problems& problems,
                 const Referred& referred) {
  Rules rules(definition, path, problems, referred);
  if (kind == Kind::driver || kind == Kind::connection || kind == Kind::module || kind == Kind::group) rules.name();
  if (kind == Kind::connection) rules.connection();
  if (kind == Kind::module) rules.module();
  if (kind == Kind::watermark) rules.watermark();
  if (kind == Kind::schedule) rules.schedule();
  if (kind == Kind::group) rules.group();
  for (const auto& part : parts_of(kind)) {
    const auto& list = definition[std::string(part.name)];
    for (size_t i = 0; i < list.size() && !enough(problems); ++i) {
      check_rules(part.kind, list[i], fmt::format("{}[{}]", join_path(path, part.name), i), problems, referred);
    }
  }
}

void check_edit(Kind kind, const Json& before, const Json& definition, const std::string& path, Problems& problems,
                const Referred& before_referred, const Referred& referred) {
  Problems found;
  check_rules(kind, definition, path, found, referred);
  if (found.empty()) return;
  Problems old;
  check_rules(kind, before, path, old, before_referred);
  for (auto& problem : new_problems(old, std::move(found))) problems.push_back(std::move(problem));
}

}  // namespace pipekit::definitions
