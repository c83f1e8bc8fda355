#include <sys/prctl.h>

#include "shared/standard_fds.h"
#include "worker/jrunner/run.h"

int main(int argc, char** argv) {
  pipekit::open_standard_fds();
  ::prctl(PR_SET_DUMPABLE, 0);  // passwords in its environment and memory: no core file, no look from other processes
  return pipekit::jrunner::run({argv + (argc > 0 ? 1 : 0), argv + argc});
}
