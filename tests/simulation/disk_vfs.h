// Connects SQLite to the simulated disk. Registered as the default VFS when the first disk is mounted.
#pragma once

namespace pipekit::simulation {

class Disk;

// nullptr: no disk is mounted; opening a file fails.
void mount(Disk* disk);

}  // namespace pipekit::simulation
