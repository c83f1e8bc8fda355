namespace pipekit::worker {}
