#include "broker/definitions/tables.h"

#include <fmt/format.h>

#include <array>

namespace pipekit::definitions {
namespace {

using enum ColumnType;

// The store counts the ids that it has given, and never gives one again (migration 008).
constexpr std::string_view kFreshModule = "SELECT value + 1 FROM meta WHERE key = 'last_module_id'";
constexpr std::string_view kFreshGroup = "SELECT value + 1 FROM meta WHERE key = 'last_group_id'";
constexpr std::string_view kFreshSchedule = "SELECT value + 1 FROM meta WHERE key = 'last_schedule_id'";

constexpr std::array<ShownColumn, 2> kStamps = {
    {{"created_at", "t.created_at", time}, {"updated_at", "t.updated_at", time}}};

constexpr std::array<ShownColumn, 12> kModuleShown = {{
    {"fence_name", "t.fence_name"},
    {"next_resolved_query", "t.next_resolved_query"},
    {"created_at", "t.created_at", time},
    {"updated_at", "t.updated_at", time},
    {"running", "EXISTS (SELECT 1 FROM run_log v WHERE v.module_id = t.id AND v.status IN ('queued', 'running'))",
     flag},
    {"last_run_id", "r.id"},
    {"last_status", "r.status"},
    {"last_finished_at", "r.finished_at", time},
    {"last_row_count", "r.row_count"},
    {"last_error_code", "r.error_code"},
    {"last_hooks_failed", "l.hooks_failed"},
    {"last_duration_ms", "r.finished_at - r.started_at"},
}};
constexpr std::string_view kModuleJoins =
    "LEFT JOIN module_last_run l ON l.module_id = t.id LEFT JOIN run_log r ON r.id = l.run_id";

constexpr std::array<ShownColumn, 1> kOfModule = {{{"module_id", "t.module_id"}}};
constexpr std::array<ShownColumn, 1> kMemberShown = {
    {{"enabled", "(SELECT m.enabled FROM module m WHERE m.id = t.module_id)", flag}}};
constexpr std::array<ShownColumn, 3> kScheduleShown = {{{"group_id", "t.group_id"},
                                                        {"group", "(SELECT g.name FROM grp g WHERE g.id = t.group_id)"},
                                                        {"last_fired_at", "t.last_fired_at", time}}};

constexpr std::array<Table, 8> kTables = {{
    {.name = "driver", .order_by = "t.name"},
    {.name = "connection", .order_by = "t.name", .stamped = true, .shown = kStamps},
    {.name = "module",
     .order_by = "t.name",
     .joins = kModuleJoins,
     .stamped = true,
     .fresh_id = kFreshModule,
     .shown = kModuleShown},
    {.name = "grp", .order_by = "t.name", .fresh_id = kFreshGroup},
    {.name = "watermark",
     .order_by = "t.module_id, t.name",
     .parent = Kind::module,
     .parent_column = "module_id",
     .shown = kOfModule},
    {.name = "hook",
     .order_by = "t.module_id, t.run_order, t.id",
     .parent = Kind::module,
     .parent_column = "module_id",
     .shown = kOfModule},
    {.name = "group_member",
     .order_by = "t.group_id, t.run_order, module",
     .parent = Kind::group,
     .parent_column = "group_id",
     .shown = kMemberShown},
    {.name = "schedule",
     .order_by = "t.group_id, t.id",
     .parent = Kind::group,
     .parent_column = "group_id",
     .fresh_id = kFreshSchedule,
     .shown = kScheduleShown},
}};

// ?1 is the definition; booleans come out of it as 0 and 1, lists as their JSON text.
std::string value_sql(const Field& field) {
  const auto value = fmt::format("json_extract(?1, '$.{}')", field.name);
  if (!field.refers_to) return value;
  return fmt::format("(SELECT id FROM {} WHERE name = {})", table_of(*field.refers_to).name, value);
}

}  // namespace

const Table& table_of(Kind kind) { return kTables.at(static_cast<size_t>(kind)); }

bool is_self_reference(Kind kind, const Field& field) { return field.refers_to == kind; }

std::string column_of(const Field& field) {
  return field.refers_to ? fmt::format("{}_id", field.name) : std::string(field.name);
}

std::string select_sql(Kind kind, std::string_view where) {
  const auto& table = table_of(kind);
  std::string columns = "t.id";
  for (const auto& field : fields_of(kind)) {
    columns += fmt::format(", t.\"{0}\" AS \"{0}\"", column_of(field));
    if (!field.refers_to) continue;
    columns += fmt::format(", (SELECT name FROM {} WHERE id = t.{}) AS {}", table_of(*field.refers_to).name,
                           column_of(field), field.name);
  }
  for (const auto& shown : table.shown) columns += fmt::format(", {} AS \"{}\"", shown.sql, shown.name);
  return fmt::format("SELECT {} FROM {} t {} {} ORDER BY {}", columns, table.name, table.joins, where, table.order_by);
}

std::string insert_sql(Kind kind) {
  const auto& table = table_of(kind);
  std::string columns = "id";
  std::string values = table.fresh_id.empty() ? "NULL" : fmt::format("({})", table.fresh_id);
  const auto add = [&](std::string_view column, std::string_view value) {
    columns += fmt::format(", {}", column);
    values += fmt::format(", {}", value);
  };
  for (const auto& field : fields_of(kind)) add(fmt::format("\"{}\"", column_of(field)), value_sql(field));
  if (table.parent) add(table.parent_column, "?2");
  if (table.stamped) add("created_at, updated_at", "?3, ?3");
  if (kind == Kind::module) add("fence_name", "json_extract(?1, '$.fence_name')");
  // ?2 and ?3 are named even where unused, so that every statement takes the same three.
  return fmt::format("INSERT INTO {} ({}) SELECT {} WHERE ?2 IS ?2 AND ?3 IS ?3", table.name, columns, values);
}

std::string update_sql(Kind kind) {
  const auto& table = table_of(kind);
  std::string assignments = table.stamped ? "updated_at = ?3" : "id = id";
  for (const auto& field : fields_of(kind)) {
    assignments += fmt::format(", \"{}\" = {}", column_of(field), value_sql(field));
  }
  return fmt::format("UPDATE {} SET {} WHERE id = ?2 AND ?3 IS ?3", table.name, assignments);
}

}  // namespace pipekit::definitions
