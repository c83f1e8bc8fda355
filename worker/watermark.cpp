#include "worker/watermark.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shared/failpoint.h"
#include "shared/placeholder.h"
#include "worker/csv.h"

namespace pipekit::worker {

namespace {

// As databases say that they cannot read a query, or take a part of it for a column.
bool is_misread(std::string_view complaint) {
  constexpr auto kWords =
      std::to_array<std::string_view>({"syntax error", "no such column", "column \"", "unrecognized token",
                                       "trailing junk", "operator does not exist"});
  return std::ranges::any_of(kWords,
                             [&](std::string_view word) { return complaint.find(word) != std::string_view::npos; });
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789.+-eE") == std::string_view::npos &&
         std::ranges::count(text, '-') < 2;
}

}  // namespace

std::string quoting_hint(const ModuleSnapshot& module, const std::map<std::string, std::string>& values,
                         std::string_view complaint) {
  if (!is_misread(complaint)) return {};
  for (const auto& [name, value] : values) {
    const auto placeholder = "{" + name + "}";
    const auto at = module.source_query.find(placeholder);
    const bool bare = at != std::string::npos && (at == 0 || module.source_query[at - 1] != '\'');
    if (!bare || is_number(value)) continue;
    return fmt::format("the value of {0} is put in as it is: a text or a time needs quotes, '{0}'", placeholder);
  }
  return {};
}

Step<std::string> resolve_watermark(Runner& runner, const WatermarkSnapshot& watermark) {
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
  if (!csv->rows.empty() && !csv->rows[0].empty() && csv->rows[0][0]) return *csv->rows[0][0];
  if (watermark.default_value) return *watermark.default_value;
  return StepError{"watermark_failed",
                   fmt::format("watermark {}: its query gave {} and there is no default_value", watermark.name,
                               csv->rows.empty() ? "no row" : "NULL"),
                   "give the watermark a default_value for the first run", false};
}

Step<std::string> source_sql(const ModuleSnapshot& module, const std::map<std::string, std::string>& values) {
  constexpr size_t kMost = 4U << 20U;
  auto sql = substitute(module.source_query, values);
  if (!sql) return StepError{"invalid", "source_query: " + sql.error().message, sql.error().hint, false};
  if (sql->size() <= kMost) return std::move(*sql);
  const auto mib = sql->size() >> 20U;
  return StepError{"invalid", fmt::format("source_query: {} MiB after the watermarks were put in, 4 are possible", mib),
                   "", false};
}

}  // namespace pipekit::worker
