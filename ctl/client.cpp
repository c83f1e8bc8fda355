namespace pipekit::ctl {}
