// The one check of every path that a program reads from a flag, a variable or its configuration file.
#pragma once

#include <string>

#include "shared/error.h"
#include "shared/origin.h"

namespace pipekit {

// Returns the path, absolute and without "..". A path from a flag or a variable may be relative to the working
// directory; one from a file must be written in full, because a service's working directory is not known. kUsage
// otherwise, and for a "~", which only a shell expands. Empty stays empty.
Result<std::string> full_path(const Given& path);

}  // namespace pipekit
