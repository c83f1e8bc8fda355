// The limit of open files. Each peer of the broker and each child of a worker needs some, and the usual soft limit
// (1024) is for programs that use select(2), which these do not. Called by main, before threads are started.
#pragma once

#include <sys/resource.h>

namespace pipekit {

// Raises the soft limit to the hard limit, if possible, and returns the former soft limit: child processes get that one
// again.
rlim_t raise_open_files();

}  // namespace pipekit
