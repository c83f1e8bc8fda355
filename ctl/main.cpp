#include "ctl/program.h"

int main(int argc, char** argv) { return pipekit::ctl::run_program({argv + 1, argv + argc}); }
