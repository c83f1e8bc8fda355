#include "shared/standard_fds.h"
#include "worker/jrunner/run.h"

int main(int argc, char** argv) {
  pipekit::open_standard_fds();
  return pipekit::jrunner::run({argv + (argc > 0 ? 1 : 0), argv + argc});
}
