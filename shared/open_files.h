// The limit of open files. Each peer of the broker and each child of a worker costs some, and the usual soft limit
// (1024) is for programs that use select(2); ours do not. Called by main, before threads are started.
#pragma once

#include <sys/resource.h>

namespace pipekit {

// Raises the soft limit to the hard one and answers what it was before: programs that are started from here know
// nothing of this and are to have that again. What cannot be raised stays as it is.
rlim_t raise_open_files();

}  // namespace pipekit
