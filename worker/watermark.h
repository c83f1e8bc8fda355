// Where the last run stopped: one query, its first row's first column as a text; and the source query with these
// values.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "worker/destination.h"

namespace pipekit::worker {

struct ResolvedWatermark {
  std::string value;
  bool defaulted = false;  // the query returned NULL or no row, and this is default_value
};
// Without a default_value NULL is an error.
Step<ResolvedWatermark> resolve_watermark(Runner& runner, const WatermarkSnapshot& watermark);

// Whether a module that has succeeded before may go on from a default_value: with append it would insert again what is
// already there. The watermark's on_null decides otherwise.
std::optional<StepError> refused_default(const ModuleSnapshot& module, const WatermarkSnapshot& watermark);

// The source query with the values in it, read as the source's SQL. An error when placeholders and values do not pair,
// a value is not safe in its place (unsafe_watermark), the query is not one statement, or it becomes longer than a
// message to the broker.
Step<std::string> source_sql(const ModuleSnapshot& module, const std::map<std::string, std::string>& values);

// When the database did not understand the query and a watermark has no quotes around it: what to do. Else empty.
std::string quoting_hint(const ModuleSnapshot& module, std::string_view complaint);

}  // namespace pipekit::worker
