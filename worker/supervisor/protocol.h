// What worker/process.cpp and pipekit-supervisor agree on. Both come from one build, so this has no version.
//
//   pipekit-supervisor CWD OPEN_FILES PROGRAM [ARGUMENT]...
//
// CWD "" stays where the worker is. OPEN_FILES is the child's soft limit of open files, because the worker has raised
// its own; 0 leaves it.
//
// The worker spawns it as leader of a session of its own (a terminal's Ctrl-C does not reach it), every signal default
// and blocked, the child's environment, and exactly these files:
//
//   0  /dev/null        1, 2  the child's output        3  kControlFd        4  kLockFd, where there is a lock
//
// Control is a SEQPACKET pair. To the supervisor: kTerminate (SIGTERM to the child's group), any number of them; end of
// file means kill everything, whether the worker shut its side down or died. To the worker, one Report a packet:
// kStarted or why not; after kStarted, in the end, kExited or kSignalled. The supervisor exits when the
// child and all its descendants are dead, so its exit without the last report means that it was killed itself.
//
// The child's group is not the supervisor's: a signal to the one does not end the other. The child and its descendants
// keep kLockFd open, so its shared lock lasts as long as any of them, the supervisor gone or not. It is an open file of
// this child's own, for reading only: whatever the child does to it concerns no other child.
#pragma once

#include <cstdint>

namespace pipekit::supervisor {

inline constexpr int kControlFd = 3;
inline constexpr int kLockFd = 4;
inline constexpr char kTerminate = 'T';

enum class ReportKind : int32_t {
  kStarted,        // value: pid of the child
  kCannotEnter,    // value: errno of chdir
  kCannotExecute,  // value: errno of exec, or of what has to happen before it
  kExited,         // value: exit code
  kSignalled,      // value: signal number
};

struct Report {
  ReportKind kind;
  int32_t value;
};

}  // namespace pipekit::supervisor
