namespace pipekit::jrunner {}
