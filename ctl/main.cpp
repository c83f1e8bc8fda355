#include "ctl/program.h"
#include "shared/standard_fds.h"

int main(int argc, char** argv) {
  pipekit::open_standard_fds();
  return pipekit::ctl::run_program({argv + (argc > 0 ? 1 : 0), argv + argc});
}
