// What the machine and its processes are doing, from /proc. Times are seconds of processor time since the boot or since
// the process began; a process that has ended meanwhile counts as nothing.
#pragma once

#include <sys/types.h>

#include <string>

namespace pipekit::bench {

int processors();
// All processors together.
double machine_cpu_s();
// The process, its descendants that live, and all of those that were waited for.
double tree_cpu_s(pid_t root);
// Of the process alone.
double own_cpu_s(pid_t pid);
double resident_mib(pid_t pid);
// How often its threads have gone to sleep and were woken.
long voluntary_switches(pid_t pid);
// The names of the processes, not below `root`, that took most processor time over `seconds`.
std::string busiest(pid_t root, double seconds);

// Whether the directory's files are lost with the power anyway, so that an fsync costs nothing.
bool is_in_memory(const std::string& directory);
// "2 processors (MODEL), Linux 6.1, ext4"
std::string description(const std::string& directory);

}  // namespace pipekit::bench
