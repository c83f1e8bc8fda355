// The broker's own accept(2) and accept4(2). The linker finds them before those of the C library, for ZeroMQ too.
#pragma once

namespace pipekit {

class Connections;

// The object that judges each accepted connection from now on; nullptr: all are accepted.
void watch_accepts(Connections* connections);

}  // namespace pipekit
