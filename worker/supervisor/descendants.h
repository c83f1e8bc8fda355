// The end of everything that descends from this process, which has to be single-threaded and a child subreaper.
#pragma once

#include <sys/types.h>

#include <csignal>

namespace pipekit::supervisor {

// Reaps orphans that have ended by themselves; `child` itself stays a zombie, so that its number, which is that of its
// group, cannot be given to others. True when the child has ended.
bool child_has_ended(pid_t child);

// Kills the child's group and every other descendant, reaps them all, and calls on_child with the child's end.
// Returns when nobody is left.
void kill_descendants(pid_t child, void (*on_child)(const siginfo_t& end));

}  // namespace pipekit::supervisor
