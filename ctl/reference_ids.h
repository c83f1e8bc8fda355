// On the command line an ID may stand for a name. In definitions references are names, so IDs that came by flags are
// replaced here; those in files are not.
#pragma once

#include "ctl/context.h"
#include "shared/definition_fields.h"

namespace pipekit::ctl {

// `fields` as fields_from() made them. What no object has as its name or ID stays: the broker says what is wrong with
// it.
Result<void> replace_ids(Context& context, Kind kind, Json& fields);

}  // namespace pipekit::ctl
