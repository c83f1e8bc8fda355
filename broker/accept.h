// accept(2) and accept4(2) of the broker's process: ours come before the C library's, for ZeroMQ too.
#pragma once

namespace pipekit {

class Connections;

// From now on it judges each accepted connection; nullptr: none does.
void watch_accepts(Connections* connections);

}  // namespace pipekit
