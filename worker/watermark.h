// Where the last run stopped: one query, its first row's first column as an opaque text.
#pragma once

#include <string>

#include "worker/destination.h"

namespace pipekit::worker {

// default_value where the query gives NULL or no row; without one that is an error.
Step<std::string> resolve_watermark(Runner& runner, const WatermarkSnapshot& watermark);

}  // namespace pipekit::worker
