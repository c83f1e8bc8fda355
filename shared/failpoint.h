// Named points at which a test can stop, kill or fail this process; nothing at all in builds without
// PIPEKIT_FAILPOINTS. The environment arms them:
//
//   PIPEKIT_FAILPOINT="worker.merge.spawned=kill"            at the first pass
//   PIPEKIT_FAILPOINT="broker.commit.after=stop@3,..."       at the third; several, separated by commas
//
// kill: SIGKILL to this process. stop: SIGSTOP (a test sees it by waitpid, and resumes it with SIGCONT).
// fail: throws FailpointError. exit: _exit(70).
#pragma once

#ifdef PIPEKIT_FAILPOINTS

#include <stdexcept>
#include <string_view>

namespace pipekit {

class FailpointError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

void failpoint(std::string_view name);

}  // namespace pipekit

#define FAILPOINT(name) ::pipekit::failpoint(name)
#else
#define FAILPOINT(name) static_cast<void>(0)
#endif
