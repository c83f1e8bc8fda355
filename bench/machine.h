// What the machine and its processes are doing, from /proc. Times are seconds of processor time since the boot or since
// the process started; a process that has ended counts as zero.
#pragma once

#include <sys/types.h>

#include <string>

namespace pipekit::bench {

int processors();
// All processors together.
double machine_cpu_s();
// The process, its living descendants, and all descendants that were waited for.
double tree_cpu_s(pid_t root);
// Of the process only.
double own_cpu_s(pid_t pid);
double resident_mib(pid_t pid);
// How often its threads went to sleep and were woken.
long voluntary_switches(pid_t pid);
// The names of the processes, except descendants of `root`, that used the most processor time over `seconds`.
std::string busiest(pid_t root, double seconds);

// Whether the directory is in memory, so that an fsync costs nothing.
bool is_in_memory(const std::string& directory);
// "2 processors (MODEL), Linux 6.1, ext4"
std::string description(const std::string& directory);

}  // namespace pipekit::bench
