// Where SQLite meets the simulated disk. Registered as the default VFS when the first disk is mounted.
#pragma once

namespace pipekit::simulation {

class Disk;

// nullptr: none; opening fails.
void mount(Disk* disk);

}  // namespace pipekit::simulation
