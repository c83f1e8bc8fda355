// A definition as a run carries it.
#include <fmt/format.h>

#include "broker/definitions/definitions.h"
#include "broker/definitions/rows.h"

namespace pipekit::definitions {
namespace {

// Nullable columns of definition_fields.h.
template <class T>
std::optional<T> optional_of(const Json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<T>());
}

ConnectionSnapshot connection_of(Database& db, int64_t id) {
  const auto row = *read(db, Kind::connection, id);
  return {.name = row["name"],
          .driver = row["driver"],
          .jdbc_url = row["jdbc_url"],
          .username = row["username"],
          .password = row["password"],
          .fence = row["fence"],
          .read_only = row["read_only"],
          .max_sessions = row["max_sessions"],
          .required_tags = row["required_tags"]};
}

ConnectionSnapshot connection_of(Database& db, const Json& row, const char* column) {
  return connection_of(db, row[column].get<int64_t>());
}

WatermarkSnapshot watermark_of(Database& db, const Json& row) {
  return {.name = row["name"],
          .connection = connection_of(db, row, "connection_id"),
          .resolver_sql = row["resolver_sql"],
          .default_value = optional_of<std::string>(row["default_value"]),
          .raw = row["raw"],
          .on_null = optional_of<std::string>(row["null"]).value_or("")};
}

HookSnapshot hook_of(Database& db, const Json& row) {
  return {row["run_order"], connection_of(db, row, "connection_id"), row["sql"], row["run_on"]};
}

}  // namespace

Result<ModuleSnapshot> snapshot(Database& db, ModuleId module) {
  const auto row = read_whole(db, Kind::module, module.value);
  if (!row) return Error{ErrorCode::kNotFound, fmt::format("there is no module {}", module.value), {}};
  const auto& fields = *row;
  ModuleSnapshot made{.id = fields["id"],
                      .name = fields["name"],
                      .fence_name = fields["fence_name"],
                      .source = connection_of(db, fields, "source_connection_id"),
                      .dest = connection_of(db, fields, "dest_connection_id"),
                      .dest_table = fields["dest_table"],
                      .source_query = fields["source_query"],
                      .merge_strategy = fields["merge_strategy"],
                      .merge_key = fields["merge_key"],
                      .unique_key = fields["unique_key"],
                      .truncate = fields["truncate"],
                      .merge_method = fields["merge_method"],
                      .retries = fields["retries"],
                      .retry_backoff_s = fields["retry_backoff_s"],
                      .timeout_s = fields["timeout_s"],
                      .min_rows = optional_of<int64_t>(fields["min_rows"]),
                      .max_shrink_pct = optional_of<int64_t>(fields["max_shrink_pct"]),
                      .priority = fields["priority"],
                      .watermarks = {},
                      .hooks = {}};
  for (const auto& watermark : fields["watermarks"]) made.watermarks.push_back(watermark_of(db, watermark));
  for (const auto& hook : fields["hooks"]) made.hooks.push_back(hook_of(db, hook));
  return made;
}

Result<ConnectionSnapshot> connection_snapshot(Database& db, const Json& ref) {
  const auto id = resolve(db, Kind::connection, ref);
  if (!id) return id.error();
  return connection_of(db, *id);
}

}  // namespace pipekit::definitions
