#include "worker/watermark.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shared/failpoint.h"
#include "shared/placeholder.h"
#include "worker/csv.h"

namespace pipekit::worker {

namespace {

// As databases say that they cannot read a query, or cannot compare what is in it.
bool is_misread(std::string_view complaint) {
  constexpr auto kWords =
      std::to_array<std::string_view>({"syntax error", "no such column", "column \"", "unrecognized token",
                                       "trailing junk", "operator does not exist"});
  return std::ranges::any_of(kWords,
                             [&](std::string_view word) { return complaint.find(word) != std::string_view::npos; });
}

std::map<std::string, WatermarkValue> marked(const ModuleSnapshot& module,
                                             const std::map<std::string, std::string>& values) {
  std::map<std::string, WatermarkValue> all;
  for (const auto& [name, value] : values) {
    const auto watermark = std::ranges::find(module.watermarks, name, &WatermarkSnapshot::name);
    all[name] = {value, watermark != module.watermarks.end() && watermark->raw};
  }
  return all;
}

SqlDialect source_dialect(const ModuleSnapshot& module) { return sql_dialect_of(module.source.jdbc_url); }

}  // namespace

std::string quoting_hint(const ModuleSnapshot& module, std::string_view complaint) {
  if (!is_misread(complaint)) return {};
  for (const auto& name : placeholders_in(module.source_query, source_dialect(module)).bare) {
    const auto watermark = std::ranges::find(module.watermarks, name, &WatermarkSnapshot::name);
    if (watermark == module.watermarks.end() || watermark->raw) continue;
    return fmt::format("if {{{0}}} is compared with text or a time, put quotes around it: '{{{0}}}'", name);
  }
  return {};
}

Step<ResolvedWatermark> resolve_watermark(Runner& runner, const WatermarkSnapshot& watermark) {
  FAILPOINT("worker.watermark.before");
  const auto call = runner.query({watermark.connection, watermark.resolver_sql});
  FAILPOINT("worker.watermark.after");
  if (!call.ok()) {
    StepError error{"watermark_failed", fmt::format("watermark {}: {}", watermark.name, call.describe()), call.hint};
    error.interruption = call.interruption;
    return error;
  }
  const auto csv = parse_csv(call.output);
  if (!csv) return StepError{"watermark_failed", fmt::format("watermark {}: {}", watermark.name, csv.error().message)};
  if (!csv->rows.empty() && !csv->rows[0].empty() && csv->rows[0][0]) return ResolvedWatermark{*csv->rows[0][0]};
  if (watermark.default_value) return ResolvedWatermark{*watermark.default_value, true};
  return StepError{"watermark_failed",
                   fmt::format("watermark {}: resolver_sql returned {} and there is no default_value", watermark.name,
                               csv->rows.empty() ? "no row" : "NULL"),
                   "give the watermark a default_value for the first run", false};
}

std::optional<StepError> refused_default(const ModuleSnapshot& module, const WatermarkSnapshot& watermark) {
  const bool append = module.merge_strategy == "append";
  if (watermark.on_null == "default" || (watermark.on_null.empty() && !append)) return std::nullopt;
  return StepError{
      "watermark_null",
      fmt::format("watermark {}: resolver_sql returned NULL, although the module has succeeded before{}",
                  watermark.name, append ? "; default_value could append rows again that are already there" : ""),
      fmt::format("check resolver_sql; to go on from a value once, use --set {0}=VALUE; to use default_value whenever "
                  "NULL is returned, set null: default on watermark {0}",
                  watermark.name),
      false};
}

Step<std::string> source_sql(const ModuleSnapshot& module, const std::map<std::string, std::string>& values) {
  constexpr size_t kMost = 4U << 20U;
  const auto dialect = source_dialect(module);
  auto sql = module.source_query;
  if (!module.watermarks.empty() || !values.empty()) {
    auto made = substitute(module.source_query, dialect, marked(module, values));
    if (auto* error = std::get_if<SubstitutionError>(&made)) {
      if (error->unsafe) return StepError{"unsafe_watermark", std::move(error->message), std::move(error->hint), false};
      return StepError{"invalid", "source_query: " + error->message, std::move(error->hint), false};
    }
    sql = std::get<std::string>(std::move(made));
  }
  if (sql.size() > kMost) {
    return StepError{
        "invalid",
        fmt::format("source_query has {} MiB with the values of its watermarks; the limit is 4 MiB", sql.size() >> 20U),
        "", false};
  }
  // A preview would execute each of them. Where the dialect is not known, so is where a statement ends.
  if (dialect != SqlDialect::generic && split_sql(sql, dialect).size() != 1) {
    return StepError{"invalid", "source_query must be exactly one SELECT", "", false};
  }
  return sql;
}

}  // namespace pipekit::worker
