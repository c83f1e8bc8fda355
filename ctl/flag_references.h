// An id may stand for a name on the command line. Definitions refer to one another by name only, so ids in flags are
// replaced here, before they become part of one.
#pragma once

#include "ctl/context.h"
#include "shared/definition_fields.h"

namespace pipekit::ctl {

// `fields`: from flags, not from a file.
Result<void> replace_ids(Context& context, Kind kind, Json& fields);

}  // namespace pipekit::ctl
