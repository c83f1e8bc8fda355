// The differences between two complete definitions, as apply and diff report them (PROTOCOL.md). Pure.
#pragma once

#include <string>

#include "shared/definition_fields.h"
#include "shared/protocol.h"

namespace pipekit::definitions {

// {field: {from, to}} for what differs; parts by what recognises them: "watermarks.last_id", "hooks.1". A null `from`
// is a definition that is new, and what it leaves at its defaults is not told.
Json field_changes(Kind kind, const Json& from, const Json& to);

// Without the fields that have their defaults, and lists in their short forms: as people write it.
Json short_form(Kind kind, const Json& definition);

}  // namespace pipekit::definitions
