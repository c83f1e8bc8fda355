#include "worker/jrunner/run.h"

int main(int argc, char** argv) { return pipekit::jrunner::run({argv + (argc > 0 ? 1 : 0), argv + argc}); }
