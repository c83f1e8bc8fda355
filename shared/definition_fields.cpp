#include "shared/definition_fields.h"

#include <algorithm>
#include <array>
#include <utility>

namespace pipekit {
namespace {

using enum FieldType;
using Words = std::span<const std::string_view>;

constexpr std::array<std::pair<Kind, std::string_view>, 8> kKinds = {{{Kind::driver, "driver"},
                                                                      {Kind::connection, "connection"},
                                                                      {Kind::module, "module"},
                                                                      {Kind::group, "group"},
                                                                      {Kind::watermark, "watermark"},
                                                                      {Kind::hook, "hook"},
                                                                      {Kind::member, "member"},
                                                                      {Kind::schedule, "schedule"}}};

constexpr std::array<std::string_view, 2> kFences = {"auto", "none"};
constexpr std::array<std::string_view, 3> kStrategies = {"full", "incremental", "append"};
constexpr std::array<std::string_view, 2> kOnNull = {"default", "error"};
constexpr std::array<std::string_view, 2> kMergeMethods = {"replace", "update"};
constexpr std::array<std::string_view, 3> kRunOn = {"success", "failure", "always"};
constexpr std::array<std::string_view, 2> kScheduleKinds = {"cron", "interval"};
constexpr std::array<std::string_view, 3> kMisfires = {"latest", "skip", "all"};

constexpr bool kRequired = true;

constexpr Field name(std::string_view about) { return {"name", text, kRequired, "null", about}; }
constexpr Field required(std::string_view field, std::string_view about) {
  return {field, text, kRequired, "null", about};
}
constexpr Field optional(std::string_view field, FieldType type, std::string_view fallback, std::string_view about) {
  return {field, type, false, fallback, about};
}
constexpr Field number(std::string_view field, std::string_view fallback, int64_t min, int64_t max,
                       std::string_view about) {
  return {field, integer, false, fallback, about, {}, {}, min, max};
}
constexpr Field one_of(std::string_view field, std::string_view fallback, Words words, std::string_view about) {
  return {field, text, fallback == "null", fallback, about, {}, words};
}
constexpr Field refers(std::string_view field, Kind to, std::string_view about) {
  return {field, reference, kRequired, "null", about, to};
}

constexpr int64_t kSeconds = 1'000'000'000;  // 31 years, so that sums of them never overflow
constexpr int64_t kOrder = 1'000'000'000;

constexpr std::array kDriver = {
    name("its name in connections"),
    optional("jar_file", text, R"("")", "the JDBC driver's jar, where the runner needs one"),
    optional("class_name", text, R"("")", "the JDBC driver's class"),
    optional("url_template", text, R"("")", "the form of its jdbc_url"),
};

constexpr std::array kConnection = {
    name("its name in modules"),
    refers("driver", Kind::driver, "the driver it uses"),
    required("jdbc_url", "jdbc:..."),
    optional("username", text, R"("")", "the user to log in as"),
    optional("password", text, R"("")", "a reference, $NAME, that the worker resolves"),
    Field{"default_dest_connection", reference, false, "null", "reserved: not used yet", Kind::connection},
    optional("default_dest_schema", text, R"("")", "reserved: not used yet"),
    optional("required_tags", text_list, "[]", "tags that a worker must have"),
    number("max_sessions", "0", 0, kOrder, "how many runs can use it at once; 0: no limit"),
    optional("read_only", boolean, "true", "false: source queries, watermarks and previews may write"),
    one_of("fence", R"("auto")", kFences, "auto, or none to create no fence tables in this database"),
    optional("notes", text, R"("")", "for people"),
};

constexpr std::array kModule = {
    name("its name in runs and groups"),
    refers("source_connection", Kind::connection, "the connection to read from"),
    refers("dest_connection", Kind::connection, "the connection to write to"),
    required("dest_table", "the table to write to"),
    required("source_query", "one SELECT; {name} becomes a watermark's value; put quotes around text: '{name}'"),
    one_of("merge_strategy", "null", kStrategies, "full, incremental or append"),
    optional("merge_key", text_list, "[]", "the columns that identify the row to replace"),
    optional("unique_key", boolean, "false", "true: fail if a key occurs twice"),
    optional("truncate", boolean, "false", "full: use TRUNCATE instead of DELETE, where it can be rolled back"),
    one_of("merge_method", R"("replace")", kMergeMethods, "replace rows, or update those whose key exists already"),
    optional("enabled", boolean, "true", "false: groups skip it"),
    number("retries", "0", 0, 1000, "further attempts after a failed one"),
    number("retry_backoff_s", "30", 0, kSeconds, "seconds before the first retry"),
    number("timeout_s", "0", 0, kSeconds, "seconds after which an attempt ends; 0: none"),
    number("min_rows", "null", 0, std::numeric_limits<int64_t>::max(), "fail if there are fewer rows"),
    number("max_shrink_pct", "null", 0, 100, "full: fail if the table would shrink by more than N percent"),
    number("priority", "0", -kOrder, kOrder, "modules with a higher number start first"),
};

constexpr std::array kWatermark = {
    name("the {name} in source_query"),
    refers("connection", Kind::connection, "where it is read"),
    required("resolver_sql", "a query: the first column of its first row is the value"),
    optional("default_value", text, "null", "the value when resolver_sql returns NULL or no row"),
    optional("raw", boolean, "false", "true: insert the value unchecked, as SQL (a list of keys)"),
    Field{
        "null", text, false, "null", "NULL after the first success: default (use default_value) or error", {}, kOnNull},
};

constexpr std::array kHook = {
    number("run_order", "null", -kOrder, kOrder, "hooks with a lower number run first; default: last"),
    refers("connection", Kind::connection, "the connection to run it on"),
    required("sql", "the SQL to run"),
    one_of("run_on", R"("success")", kRunOn, "success, failure or always"),
};

constexpr std::array kGroup = {
    name("its name in schedules and run-group"),
    optional("stop_on_failure", boolean, "false", "true: stop after the first member that fails"),
};

constexpr std::array kMember = {
    refers("module", Kind::module, "the module to run"),
    number("run_order", "null", -kOrder, kOrder, "members with the same number run in parallel; default: last"),
};

constexpr std::array kSchedule = {
    one_of("kind", R"("cron")", kScheduleKinds, "cron or interval"),
    optional("cron_expr", text, R"("")", "five fields, or six with seconds first"),
    number("every_s", "0", 0, kSeconds, "interval: seconds between starts"),
    optional("timezone", text, R"("UTC")", "the time zone of cron_expr"),
    one_of("misfire", R"("latest")", kMisfires, "missed times: latest (fire once), skip, or all"),
    optional("enabled", boolean, "true", "false: does not fire"),
};

constexpr std::array<Part, 2> kModuleParts = {{{"watermarks", Kind::watermark}, {"hooks", Kind::hook}}};
constexpr std::array<Part, 2> kGroupParts = {{{"members", Kind::member}, {"schedules", Kind::schedule}}};
constexpr std::array<Part, 4> kDocument = {
    {{"drivers", Kind::driver}, {"connections", Kind::connection}, {"modules", Kind::module}, {"groups", Kind::group}}};

template <class T>
const T* by_name(std::span<const T> all, std::string_view wanted) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const T& one) { return one.name == wanted; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

std::string_view to_string(Kind kind) { return kKinds.at(static_cast<size_t>(kind)).second; }

std::optional<Kind> kind_from(std::string_view word) {
  for (const auto& [kind, known] : kKinds) {
    if (known == word) return kind;
  }
  return std::nullopt;
}

std::span<const Kind> all_kinds() {
  static constexpr std::array kAll = {Kind::driver,    Kind::connection, Kind::module, Kind::group,
                                      Kind::watermark, Kind::hook,       Kind::member, Kind::schedule};
  return kAll;
}

std::span<const Field> fields_of(Kind kind) {
  static constexpr std::array<std::span<const Field>, 8> kFields = {kDriver,    kConnection, kModule, kGroup,
                                                                    kWatermark, kHook,       kMember, kSchedule};
  return kFields.at(static_cast<size_t>(kind));
}

std::span<const Part> parts_of(Kind kind) {
  if (kind == Kind::module) return kModuleParts;
  if (kind == Kind::group) return kGroupParts;
  return {};
}

const Field* find_field(Kind kind, std::string_view name) { return by_name(fields_of(kind), name); }
const Part* find_part(Kind kind, std::string_view name) { return by_name(parts_of(kind), name); }

std::vector<std::string> known_keys(Kind kind) {
  std::vector<std::string> keys;
  for (const auto& field : fields_of(kind)) keys.emplace_back(field.name);
  for (const auto& part : parts_of(kind)) keys.emplace_back(part.name);
  return keys;
}

std::span<const Part> document_parts() { return kDocument; }

}  // namespace pipekit
