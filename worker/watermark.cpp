#include "worker/watermark.h"

#include <fmt/format.h>

#include "shared/failpoint.h"
#include "worker/csv.h"

namespace pipekit::worker {

Step<std::string> resolve_watermark(Runner& runner, const WatermarkSnapshot& watermark) {
  FAILPOINT("worker.watermark.before");
  const auto call = runner.query({watermark.connection, watermark.resolver_sql});
  FAILPOINT("worker.watermark.after");
  if (!call.ok()) {
    StepError error{"watermark_failed", fmt::format("watermark {}: {}", watermark.name, call.describe())};
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

}  // namespace pipekit::worker
