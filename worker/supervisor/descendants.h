// Ends all descendants of this process, which must be single-threaded and a child subreaper.
#pragma once

#include <sys/types.h>

#include <csignal>

namespace pipekit::supervisor {

// Reaps orphans that have ended; `child` itself stays a zombie, so that its number, which is also its group's, cannot
// be reused. True when the child has ended.
bool child_has_ended(pid_t child);

// Kills the child's group and every other descendant, reaps them all, and calls on_child with the child's end.
// Returns when none is left.
void kill_descendants(pid_t child, void (*on_child)(const siginfo_t& end));

}  // namespace pipekit::supervisor
