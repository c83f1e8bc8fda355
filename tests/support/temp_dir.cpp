namespace pipekit {}
