// The one check of every path that a program reads from a flag, a variable or its configuration file.
#pragma once

#include <string>

#include "shared/error.h"
#include "shared/origin.h"

namespace pipekit {

// The path, absolute and without "..": one from a flag or a variable counts from the working directory; one from a file
// must be written in full, because nobody knows a service's working directory. kUsage for that, and for a "~", which
// only a shell expands. Empty stays empty.
Result<std::string> full_path(const Given& path);

}  // namespace pipekit
