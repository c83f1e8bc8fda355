// Where the last run stopped: one query, its first row's first column as an opaque text.
#pragma once

#include <map>
#include <string>

#include "worker/destination.h"

namespace pipekit::worker {

// default_value where the query gives NULL or no row; without one that is an error.
Step<std::string> resolve_watermark(Runner& runner, const WatermarkSnapshot& watermark);

// The source query with the values put in; an error when a placeholder and its value do not pair, or when it becomes
// longer than a message to the broker could tell.
Step<std::string> source_sql(const ModuleSnapshot& module, const std::map<std::string, std::string>& values);

// When the database did not understand the query and a value that is no number stands in it without quotes: what to do.
// Else empty.
std::string quoting_hint(const ModuleSnapshot& module, const std::map<std::string, std::string>& values,
                         std::string_view complaint);

}  // namespace pipekit::worker
