// Passwords are references: "$NAME" or "${NAME}", resolved here from the worker's environment. Pure but for
// environment_variable. No message contains a value, nor a text that was meant as a reference and is none.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "shared/error.h"

namespace pipekit::worker {

using VariableLookup = std::function<std::optional<std::string>(const std::string& name)>;

// Empty reference: empty password. kInvalid for a text that is no reference, kUnavailable for a variable not set.
Result<std::string> resolve_secret(std::string_view reference, const VariableLookup& lookup);

// NAME of a reference, nothing for any other text.
std::optional<std::string> referenced_variable(std::string_view reference);

// This process's environment.
std::optional<std::string> environment_variable(const std::string& name);

}  // namespace pipekit::worker
